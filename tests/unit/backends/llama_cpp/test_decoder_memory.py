"""The decoder's memory by the header of its file. tests/real holds the sum against a running server."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from autoglm_phone.backends.llama_cpp.memory import StepSizes, decoder_memory, read_decoder
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.gguf_tensors import GgufTensors

Q = gguf.GGMLQuantizationType
SIZES = StepSizes(kv_tokens=2048, max_slots=24, max_step_tokens=138, max_draft=15)
# AutoGLM-Phone-9B's: 40 layers, 2 of 32 heads keep keys and values of 128 numbers each.
NINE_B: dict[str, Any] = {
    "block_count": 40,
    "embedding_length": 4096,
    "feed_forward_length": 13696,
    "attention.head_count": 32,
    "attention.head_count_kv": 2,
}


def a_file(path: Path, tensors: Sequence[tuple[str, int, Any]] = (), **numbers: Any) -> GgufTensors:
    """tensors: name, rows of 256 numbers, type."""
    writer = gguf.GGUFWriter(path, "glm4")
    for key, value in numbers.items():
        if isinstance(value, list):
            writer.add_array(f"glm4.{key}", value)
        elif value is not None:
            writer.add_uint32(f"glm4.{key}", value)
    writer.add_array("tokenizer.ggml.tokens", [f"t{number}" for number in range(1000)])
    for name, rows, kind in tensors:
        block_len, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor(name, np.zeros((rows, 256 // block_len * block_bytes), np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read_decoder(path)


def sizes_of(
    file: GgufTensors, sizes: StepSizes = SIZES, *, has_native_kernels: bool = False, like: str = ""
) -> dict[str, int]:
    parts = decoder_memory(file, sizes, has_native_kernels=has_native_kernels)
    return {part.name: part.size_bytes for part in parts if like in part.name and part.size_bytes}


def test_the_kv_cache_is_that_of_the_model_and_is_padded(tmp_path: Path) -> None:
    file = a_file(tmp_path / "m.gguf", **NINE_B)
    assert sizes_of(file)["kv cache"] == 2048 * 40_960
    assert sizes_of(file, replace(SIZES, kv_tokens=2049))["kv cache"] == (2048 + 256) * 40_960


@pytest.mark.parametrize(
    ("numbers", "bytes_per_token"),
    [
        ({"attention.head_count_kv": None}, 40 * 32 * (128 + 128) * 2),  # every head has its own
        ({"attention.head_count_kv": [2] * 20 + [0] * 20}, 20 * 2 * (128 + 128) * 2),  # half of the layers have none
        ({"attention.key_length": 192, "attention.value_length": 64}, 40 * 2 * (192 + 64) * 2),
    ],
)
def test_models_that_keep_other_keys_and_values(tmp_path: Path, numbers: dict[str, Any], bytes_per_token: int) -> None:
    file = a_file(tmp_path / "m.gguf", **{**NINE_B, **numbers})
    assert sizes_of(file)["kv cache"] == 2048 * bytes_per_token


Q4_K_ROW, Q5_0_ROW, Q8_0_ROW = 144, 176, 272  # bytes of 256 numbers
MIXED = [
    ("token_embd.weight", 64, Q.Q4_K),
    ("blk.0.ffn_up.weight", 32, Q.Q4_K),
    ("blk.0.ffn_odd.weight", 33, Q.Q4_K),
    ("blk.0.ffn_down.weight", 16, Q.Q5_0),
    ("output.weight", 64, Q.Q8_0),
]


def test_the_wheels_kernels_copy_what_they_interleave_and_leave_it_mapped(tmp_path: Path) -> None:
    assert sizes_of(a_file(tmp_path / "m.gguf", MIXED, **NINE_B), like="weights") == {
        "weights": 64 * Q4_K_ROW + 33 * Q4_K_ROW + 16 * Q5_0_ROW + 64 * Q8_0_ROW,
        "weights' file behind their copies": 32 * Q4_K_ROW,
        "weights, interleaved copies": 32 * Q4_K_ROW,
    }


def test_what_lies_outside_of_all_that_is_used_in_place_is_unmapped(tmp_path: Path) -> None:
    tensors = [("blk.0.ffn_up.weight", 32, Q.Q4_K), ("output.weight", 64, Q.Q8_0), ("blk.1.ffn_up.weight", 8, Q.Q4_K)]
    assert sizes_of(a_file(tmp_path / "m.gguf", tensors, **NINE_B), like="weights") == {
        "weights": 64 * Q8_0_ROW,
        "weights, interleaved copies": 40 * Q4_K_ROW,
    }


def test_native_kernels_hold_weights_once_and_packed_where_rows_come_in_sixteens(tmp_path: Path) -> None:
    tensors = [*MIXED, ("blk.0.odd.weight", 15, Q.Q5_0), ("blk.0.six.weight", 16, Q.Q6_K)]
    file = a_file(tmp_path / "m.gguf", tensors, **NINE_B)
    as_they_are = (64 + 33) * Q4_K_ROW + 15 * Q5_0_ROW  # the embedding is looked up in
    assert sizes_of(file, has_native_kernels=True, like="weights") == {
        "weights, packed": as_they_are + 32 * 148 + 16 * Q5_0_ROW + 64 * Q8_0_ROW + 16 * 210
    }


def test_a_tied_embedding_is_multiplied_in_a_buffer_of_its_own(tmp_path: Path) -> None:
    tied = a_file(tmp_path / "4.gguf", [("token_embd.weight", 64, Q.Q4_K)], **NINE_B)
    assert sizes_of(tied, like="weights") == {"weights": 64 * Q4_K_ROW, "weights, interleaved copies": 64 * Q4_K_ROW}
    tied = a_file(tmp_path / "5.gguf", [("token_embd.weight", 64, Q.Q5_0)], **NINE_B)
    assert sizes_of(tied, has_native_kernels=True, like="weights") == {"weights, packed": 2 * 64 * Q5_0_ROW}


def test_more_seats_and_longer_steps_take_more(tmp_path: Path) -> None:
    file = a_file(tmp_path / "m.gguf", **NINE_B)
    before = sizes_of(file)
    assert before["logits"] == (24 + 15) * 1000 * 4
    assert sizes_of(file, replace(SIZES, max_slots=48, max_draft=0))["logits"] == 48 * 1000 * 4
    assert sizes_of(file, replace(SIZES, max_step_tokens=512))["steps"] > 3 * before["steps"]


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ({"block_count": None}, "glm4.block_count is None"),
        ({"attention.head_count": 0}, "glm4.attention.head_count is 0"),
        ({"attention.head_count_kv": ["2", "2"]}, r"glm4.attention.head_count_kv is \['2', '2'\]"),
        ({"attention.head_count_kv": [2, -2]}, r"glm4.attention.head_count_kv is \[2, -2\]"),
        ({"feed_forward_length": []}, r"glm4.feed_forward_length is \[\]"),
        ({"embedding_length": [1, 2]}, r"glm4.embedding_length is \[1, 2\]"),
    ],
)
def test_a_file_that_does_not_say_enough_is_refused_by_the_key(
    tmp_path: Path, numbers: dict[str, Any], named: str
) -> None:
    file = a_file(tmp_path / "m.gguf", **NINE_B)
    file = replace(file, metadata={**file.metadata, **{f"glm4.{key}": value for key, value in numbers.items()}})
    with pytest.raises(BundleError, match=rf"m\.gguf does not say how much memory it takes: {named}"):
        decoder_memory(file, SIZES, has_native_kernels=False)
