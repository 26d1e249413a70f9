"""Formats and sizes against those of the files that are published."""

from collections import Counter

import pytest

from autoglm_phone.convert.gguf_writer import file_bytes
from autoglm_phone.convert.metadata import Origin, mmproj_metadata, text_metadata
from autoglm_phone.convert.mix import EncoderMix, TextMix, planned_encoder, planned_text
from autoglm_phone.convert.planned import Planned
from autoglm_phone.convert.synth import SHAPES
from autoglm_phone.convert.text_map import text_rules
from autoglm_phone.convert.vision_map import vision_rules
from autoglm_phone.convert.vocabulary import made_up_vocabulary

GIB = 2**30
NINE_B = SHAPES["9b"]
ORIGIN = Origin("9b", "mit", "test")


def text(mix: TextMix) -> list[Planned]:
    return planned_text(text_rules(NINE_B.text), mix, NINE_B.text.num_layers)


def vision(mix: EncoderMix) -> list[Planned]:
    return planned_encoder(vision_rules(NINE_B.vision), mix)


def test_the_9b_has_the_sizes_that_are_published() -> None:
    """Of community files: 5.74 GiB for the text in Q4_K_M, 1.66 GiB for the encoder in half precision."""
    metadata = text_metadata(NINE_B.text, "q4_k_m", ORIGIN, made_up_vocabulary(), "")
    assert file_bytes(metadata, text("q4_k_m")) / GIB == pytest.approx(5.74, rel=0.02)
    seen = mmproj_metadata(NINE_B.vision, None, 4096, "f16", ORIGIN)
    assert file_bytes(seen, vision("f16")) / GIB == pytest.approx(1.66, rel=0.02)


@pytest.mark.parametrize(
    ("mix", "bytes_per_weight"), [("f16", 2), ("q8_0", 34 / 32), ("q4_0", 18 / 32 + 0.017), ("f32", 4)]
)
def test_other_mixes_have_the_size_of_their_blocks(mix: TextMix, bytes_per_weight: float) -> None:
    """9.40e9 weights; q4_0 keeps the head in six bits."""
    assert sum(planned.size_bytes for planned in text(mix)) == pytest.approx(9.40e9 * bytes_per_weight, rel=0.01)


def test_q4_k_m_is_mixed_as_llama_cpp_mixes_it() -> None:
    types = {planned.name: planned.type.name for planned in text("q4_k_m")}
    assert types["token_embd.weight"] == "Q4_K"
    assert types["output.weight"] == "Q6_K"
    assert {types[f"blk.{layer}.{name}.weight"] for layer in range(40) for name in ("attn_q", "ffn_up")} == {"Q4_K"}
    down = Counter(types[f"blk.{layer}.ffn_down.weight"] for layer in range(40))
    assert down == {"Q5_0": 20, "Q8_0": 20}  # rows of 13,696 are no multiple of 256: Q4_K and Q6_K do not fit
    more = [layer for layer in range(40) if types[f"blk.{layer}.attn_v.weight"] == "Q6_K"]
    assert more == [0, 1, 2, 3, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 35, 36, 37, 38, 39]
    assert {types[name] for name in types if name.endswith((".bias", "norm.weight"))} == {"F32"}


def test_encoders_keep_what_llama_cpp_cannot_take_in_blocks() -> None:
    types = {planned.name: planned.type.name for planned in vision("q8_0")}
    assert types["v.patch_embd.weight"] == types["mm.patch_merger.weight"] == "F32"
    assert types["v.position_embd.weight"] == "F32"
    assert types["v.blk.0.attn_qkv.weight"] == types["mm.down.weight"] == "Q8_0"
    assert {planned.type.name for planned in vision("f16") if len(planned.shape) > 1} == {"F16", "F32"}
