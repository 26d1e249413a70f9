"""Which number format each tensor is written in, as llama.cpp's own quantiser would choose.

Source: llama.cpp b11549, src/llama-quant.cpp (llama_tensor_get_type_impl, tensor_type_fallback) for text, and
conversion/base.py (prepare_tensors, MmprojModel.tensor_force_quant) for encoders.
"""

from collections.abc import Iterable
from typing import Literal

from autoglm_phone.convert.planned import Planned, Rule
from autoglm_phone.weights.gguf_types import TensorType, named

TextMix = Literal["f32", "f16", "q8_0", "q4_k_m", "q4_0"]
EncoderMix = Literal["f32", "f16", "q8_0"]

# general.file_type: llama.h, enum llama_ftype.
FILE_TYPES: dict[str, int] = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "q4_k_m": 15}
_BASE: dict[str, str] = {"f32": "F32", "f16": "F16", "q8_0": "Q8_0", "q4_k_m": "Q4_K", "q4_0": "Q4_0"}
# A row that is no whole number of blocks of 256 takes the format with smaller blocks that is next in size.
_SMALLER_BLOCKS = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}


def encoder_mix_beside(text: TextMix) -> EncoderMix:
    """Encoders are small: they take 8 bits where the text takes fewer."""
    return text if text in ("f32", "f16") else "q8_0"


def planned_text(rules: Iterable[Rule], mix: TextMix, num_layers: int) -> list[Planned]:
    return [Planned(rule, _text_type(rule, mix, num_layers)) for rule in rules]


def planned_encoder(rules: Iterable[Rule], mix: EncoderMix) -> list[Planned]:
    return [Planned(rule, _encoder_type(rule, mix)) for rule in rules]


def _text_type(rule: Rule, mix: TextMix, num_layers: int) -> TensorType:
    name, row_len = rule.target, rule.shape[-1]
    if len(rule.shape) < 2:
        return named("F32")
    wanted = _BASE[mix]
    if mix in ("q4_k_m", "q4_0"):
        if name == "output.weight":  # all hangs on it, and it is small
            wanted = "Q6_K" if row_len % named(wanted).block_len == 0 else "Q8_0"
        elif mix == "q4_k_m" and name.endswith((".attn_v.weight", ".ffn_down.weight")):
            wanted = "Q6_K" if _takes_more_bits(int(name.split(".")[1]), num_layers) else wanted
    return _fitting(wanted, row_len)


def _takes_more_bits(layer: int, num_layers: int) -> bool:
    """The first eighth of the layers, the last one, and every third between."""
    eighth = num_layers // 8
    return layer < eighth or layer >= 7 * num_layers // 8 or (layer - eighth) % 3 == 2


def _encoder_type(rule: Rule, mix: EncoderMix) -> TensorType:
    name = rule.target
    if len(rule.shape) < 2 or name.endswith((".bias", "position_embd.weight")):
        return named("F32")
    if ".conv1d." in name:  # llama.cpp's convolutions of sounds know no other
        return named("F16")
    if ".patch_embd." in name or ".patch_merger." in name:
        return named("F16" if mix == "f16" else "F32")
    return _fitting(_BASE[mix], rule.shape[-1])


def _fitting(name: str, row_len: int) -> TensorType:
    """The format itself, one with smaller blocks, or half precision if rows are made of neither."""
    for candidate in (name, _SMALLER_BLOCKS.get(name, name)):
        if row_len % named(candidate).block_len == 0:
            return named(candidate)
    return named("F16")
