"""Logits of the decoder against transformers' GLM-4.1V, with and without a cache, from every form of file."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_glm4v import SETTINGS, reference, relative_error, tensors

from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.text.config import from_checkpoint
from autoglm_phone.models.text.decoder import decoder_of_checkpoint, decoder_of_gguf
from autoglm_phone.models.text.glm4 import Glm4Decoder
from autoglm_phone.models.text.kv_cache import KvCache
from autoglm_phone.models.text.positions import ImageSpan, TextSpan, mrope_positions
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.tensor_map import CheckpointFloats

Floats = np.ndarray[Any, np.dtype[np.float32]]

TEXT: dict[str, Any] = SETTINGS["text_config"]
HEADS, KV_HEADS = TEXT["num_attention_heads"], TEXT["num_key_value_heads"]
HEAD_SIZE = TEXT["hidden_size"] // HEADS
ROTARY = HEAD_SIZE // 2

# A picture's rows and columns among the positions: all three axes differ.
POSITIONS = torch.from_numpy(mrope_positions([TextSpan(4), ImageSpan(2, 5), TextSpan(9)]))
TOKENS = torch.from_numpy(np.random.default_rng(3).integers(0, 90, POSITIONS.shape[1]))


@pytest.fixture(scope="module")
def decoder() -> Glm4Decoder:
    return decoder_of_checkpoint(SETTINGS, tensors())


def our_logits(decoder: Glm4Decoder) -> Floats:
    with torch.inference_mode():
        logits: Floats = decoder.head(decoder(decoder.embed(TOKENS), POSITIONS)).float().numpy()
    return logits


def their_logits(dtype: torch.dtype = torch.float32) -> Floats:
    model = deepcopy(reference()).to(dtype) if dtype != torch.float32 else reference()
    with torch.inference_mode():
        found = model.model.language_model(input_ids=TOKENS[None], position_ids=POSITIONS[:, None])
        logits: Floats = model.lm_head(found.last_hidden_state)[0].float().numpy()
    return logits


def test_logits_are_those_of_the_reference(decoder: Glm4Decoder) -> None:
    assert relative_error(our_logits(decoder), their_logits()) < 1e-5


def test_bf16_is_as_near_as_the_reference_in_bf16() -> None:
    half = our_logits(decoder_of_checkpoint(SETTINGS, tensors(), dtype=torch.bfloat16))
    exact, theirs = their_logits(), their_logits(torch.bfloat16)
    assert np.linalg.norm(half - exact) < 1.2 * np.linalg.norm(theirs - exact)


@settings(max_examples=25)
@given(cuts=st.sets(st.integers(1, len(TOKENS) - 1)))
def test_chunks_and_decode_steps_equal_one_forward(decoder: Glm4Decoder, cuts: set[int]) -> None:
    cache = KvCache(decoder.config, len(TOKENS))
    parts = []
    with torch.inference_mode():
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(TOKENS)], strict=True):
            hidden = decoder(decoder.embed(TOKENS[start:end]), POSITIONS[:, start:end], cache)
            parts.append(decoder.head(hidden).numpy())
    assert cache.length == len(TOKENS)
    assert relative_error(np.concatenate(parts), our_logits(decoder)) < 1e-5


def test_a_cache_can_be_rewound_and_refuses_what_does_not_fit(decoder: Glm4Decoder) -> None:
    cache = KvCache(decoder.config, 6)
    with torch.inference_mode():
        decoder(decoder.embed(TOKENS[:5]), POSITIONS[:, :5], cache)
        cache.rewind(3)
        again = decoder.head(decoder(decoder.embed(TOKENS[3:6]), POSITIONS[:, 3:6], cache)).numpy()
        assert relative_error(again, our_logits(decoder)[3:6]) < 1e-5
        with pytest.raises(ValueError, match="7 tokens do not fit a cache of 6"):
            decoder(decoder.embed(TOKENS[6:7]), POSITIONS[:, 6:7], cache)


def test_a_saved_checkpoint_gives_the_same(decoder: Glm4Decoder, tmp_path: Path) -> None:
    reference().save_pretrained(tmp_path, max_shard_size="150KB")
    checkpoint = open_checkpoint(tmp_path)
    assert len(checkpoint.files) > 1
    read = decoder_of_checkpoint(checkpoint.config, CheckpointFloats(checkpoint))
    assert read.config == decoder.config
    assert np.array_equal(our_logits(read), our_logits(decoder))


def test_an_older_checkpoint_is_read_too(decoder: Glm4Decoder) -> None:
    older = {name.replace("model.language_model.", "model."): tensor for name, tensor in tensors().items()}
    older = {name.replace("model.visual.", "visual."): tensor for name, tensor in older.items()}
    rope = TEXT["rope_parameters"]
    fields = {key: value for key, value in TEXT.items() if key != "rope_parameters"} | {
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "default", "mrope_section": rope["mrope_section"]},
    }
    read = decoder_of_checkpoint(fields, older)
    assert np.array_equal(our_logits(read), our_logits(decoder))


def neox_rows(rows: Floats) -> Floats:
    """As llama.cpp's converter has it (conversion/glm.py, normal_to_neox): even rows of a head, odd ones, the rest."""
    order = [*range(0, ROTARY, 2), *range(1, ROTARY, 2), *range(ROTARY, HEAD_SIZE)]
    return np.concatenate([rows[start : start + HEAD_SIZE][order] for start in range(0, len(rows), HEAD_SIZE)])


def text_gguf(path: Path, *, has_sections: bool = True) -> Path:
    """The names come from the `gguf` package's own table."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GLM4, TEXT["num_hidden_layers"])
    writer = gguf.GGUFWriter(path, "glm4")
    writer.add_context_length(TEXT["max_position_embeddings"])
    writer.add_embedding_length(TEXT["hidden_size"])
    writer.add_block_count(TEXT["num_hidden_layers"])
    writer.add_feed_forward_length(TEXT["intermediate_size"])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(TEXT["rms_norm_eps"])
    writer.add_rope_freq_base(TEXT["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(ROTARY)
    if has_sections:
        writer.add_rope_dimension_sections([*TEXT["rope_parameters"]["mrope_section"], 0])
    for name, tensor in tensors().items():
        if name.startswith("model.visual."):
            continue
        known = names.get_name(name.replace("model.language_model.", "model."), (".weight", ".bias"))
        assert known is not None, name
        is_turned = has_sections and ("q_proj" in name or "k_proj" in name)
        writer.add_tensor(known, neox_rows(tensor) if is_turned else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file_gives_the_same(decoder: Glm4Decoder, tmp_path: Path) -> None:
    read = decoder_of_gguf(read_tensors(text_gguf(tmp_path / "text.gguf")))
    assert relative_error(our_logits(read), our_logits(decoder)) < 1e-6  # the file has 1e-5 in single precision
    weights = decoder.get_parameter("layers.1.attention.qkv.bias")
    assert torch.equal(read.get_parameter("layers.1.attention.qkv.bias"), weights)


def test_a_gguf_file_without_sections_has_its_rows_in_order(decoder: Glm4Decoder, tmp_path: Path) -> None:
    read = decoder_of_gguf(read_tensors(text_gguf(tmp_path / "text.gguf", has_sections=False)))
    assert read.config.mrope_sections is None
    for name, parameter in decoder.named_parameters():
        assert torch.equal(parameter, read.get_parameter(name)), name


def test_what_is_missing_or_left_over_is_named() -> None:
    whole = tensors()
    less = {name: tensor for name, tensor in whole.items() if name != "lm_head.weight"}
    with pytest.raises(BundleError, match=r"lack lm_head\.weight"):
        decoder_of_checkpoint(SETTINGS, less)
    with pytest.raises(BundleError, match=r"hold model\.language_model\.more"):
        decoder_of_checkpoint(SETTINGS, whole | {"model.language_model.more": np.ones(1, np.float32)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_hidden_layers", 10**9),
        ("num_key_value_heads", 3),
        ("hidden_size", "64"),
        ("rope_parameters", {"mrope_section": [1, 1, 1], "partial_rotary_factor": 0.5}),
        ("rope_parameters", {"partial_rotary_factor": 2}),
        ("hidden_act", "gelu"),
    ],
)
def test_a_hostile_configuration_is_refused(field: str, value: object) -> None:
    with pytest.raises(BundleError, match=r"text_config|decoder"):
        from_checkpoint({"text_config": TEXT | {field: value}})
