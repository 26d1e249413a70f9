"""Unpacking against gguf-py's, to the bit: random blocks hold every code, and scales that overflow or are no number."""

import tracemalloc
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import SCRATCH_ELEMENTS, UNPACK, Bytes, Floats, dequantize
from autoglm_phone.weights.gguf_types import TENSOR_TYPES, TensorType

TYPES = {type_.name: type_ for type_ in TENSOR_TYPES.values()}
# Where a block has half-precision scales, by byte.
SCALES = {
    **dict.fromkeys(("Q4_0", "Q5_0", "Q8_0"), (0,)),
    **dict.fromkeys(("Q4_1", "Q5_1", "Q4_K", "Q5_K"), (0, 2)),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q6_K": (208,),
}
EXTREMES = np.array([0, -0.0, 6e-8, -6e-8, 65504, -65504, np.inf, -np.inf, np.nan, 1], np.float16)


def reference(data: Bytes, type_: TensorType) -> Any:
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(data, gguf.GGMLQuantizationType[type_.name])


def assert_equal_bits(ours: Floats, theirs: Floats) -> None:
    """Of what is not a number only the place is compared: its sign and payload are the processor's affair."""
    assert (ours.dtype, ours.shape) == (np.dtype(np.float32), theirs.shape)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    is_number = ~np.isnan(theirs)
    assert np.array_equal(ours.view(np.uint32)[is_number], theirs.view(np.uint32)[is_number])


@pytest.mark.parametrize("name", UNPACK)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5), row_blocks=st.integers(1, 3))
@settings(max_examples=30)
def test_random_blocks_are_unpacked_to_the_same_bits(name: str, seed: int, rows: int, row_blocks: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, (rows, row_blocks * TYPES[name].block_bytes), np.uint8)
    assert_equal_bits(dequantize(data, TYPES[name]), reference(data, TYPES[name]))


@pytest.mark.parametrize("name", SCALES)
def test_extreme_scales_are_multiplied_the_same_way(name: str) -> None:
    """Every pair of extremes, over random codes."""
    type_ = TYPES[name]
    data = np.random.default_rng(5).integers(0, 256, (len(EXTREMES) ** 2, type_.block_bytes), np.uint8)
    pairs = (np.repeat(EXTREMES, len(EXTREMES)), np.tile(EXTREMES, len(EXTREMES)))
    for offset, halves in zip(SCALES[name], pairs, strict=False):
        data[:, offset : offset + 2] = halves[:, None].view(np.uint8)
    assert_equal_bits(dequantize(data, type_), reference(data, type_))


def test_a_tensor_over_the_scratch_is_put_together_from_its_parts() -> None:
    type_ = TYPES["Q4_0"]
    num_blocks = SCRATCH_ELEMENTS // type_.block_len + 3
    data = np.random.default_rng(6).integers(0, 256, (1, num_blocks * type_.block_bytes), np.uint8)
    assert_equal_bits(dequantize(data, type_), reference(data, type_))


@pytest.mark.parametrize("name", UNPACK)
def test_a_large_tensor_takes_its_output_and_a_small_scratch(name: str) -> None:
    type_ = TYPES[name]
    data = np.zeros((16 * SCRATCH_ELEMENTS // type_.block_len, type_.block_bytes), np.uint8)
    tracemalloc.start()
    try:
        out = dequantize(data, type_)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - out.nbytes < 16 * SCRATCH_ELEMENTS


def test_leading_dimensions_are_kept() -> None:
    assert dequantize(np.zeros((2, 3, 68), np.uint8), TYPES["Q8_0"]).shape == (2, 3, 64)


def test_what_cannot_be_unpacked_is_said() -> None:
    with pytest.raises(BundleError, match="IQ2_XXS cannot be unpacked"):
        dequantize(np.zeros((1, 66), np.uint8), TYPES["IQ2_XXS"])
    with pytest.raises(ValueError, match="rows of 35 bytes"):
        dequantize(np.zeros((1, 35), np.uint8), TYPES["Q8_0"])
