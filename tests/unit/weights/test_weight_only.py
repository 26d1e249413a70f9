"""Packing into 8 and 4 bits: the error stays under half a step, and unpacking is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import Floats
from autoglm_phone.weights.weight_only import GROUP, Bits, codes_of, scales_of, unpack

BITS: tuple[Bits, Bits] = (8, 4)


def drawn(seed: int, spread: float) -> Floats:
    random = np.random.default_rng(seed)
    return (random.standard_normal((3, 2 * GROUP)) * spread).astype(np.float32)


@pytest.mark.parametrize("bits", BITS)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([1e-3, 0.02, 1.0, 500.0]))
@settings(max_examples=50)
def test_numbers_come_back_within_half_a_step(bits: Bits, seed: int, spread: float) -> None:
    rows = drawn(seed, spread)
    scales = scales_of(rows, bits)
    codes = codes_of(rows, scales, bits)
    steps = np.repeat(np.abs(scales.astype(np.float32)), GROUP, axis=1)
    # The last code on one side may be half a step short (-8 has no +8), and the scale is rounded to 11 bits.
    slack = 0.5 if bits == 8 else 1.0
    assert np.all(np.abs(unpack(codes, scales) - rows) <= steps * (slack + 0.1))


@pytest.mark.parametrize("bits", BITS)
def test_shapes_and_types_are_those_of_the_form(bits: Bits) -> None:
    rows = drawn(1, 0.02)
    scales = scales_of(rows, bits)
    codes = codes_of(rows, scales, bits)
    assert (scales.dtype.name, scales.shape) == ("float16", (3, 2))
    assert (codes.dtype.name, codes.shape) == (("int8", (3, 256)) if bits == 8 else ("uint8", (3, 128)))
    error = np.sqrt(np.mean((unpack(codes, scales) - rows) ** 2) / np.mean(rows**2))
    assert error < (0.01 if bits == 8 else 0.12)


@pytest.mark.parametrize("bits", BITS)
def test_a_group_of_zeros_stays_one(bits: Bits) -> None:
    rows = np.zeros((1, GROUP), np.float32)
    scales = scales_of(rows, bits)
    assert not unpack(codes_of(rows, scales, bits), scales).any()


def test_every_pair_of_nibbles_keeps_its_places() -> None:
    rows = np.tile(np.arange(-8, 8, dtype=np.float32), GROUP // 16)[None]
    scales = scales_of(rows, 4)
    assert scales.item() == 1
    assert np.array_equal(unpack(codes_of(rows, scales, 4), scales), rows)
    assert codes_of(rows, scales, 4)[0, :2].tolist() == [0x10, 0x32]  # the even column in the low half


def test_numbers_over_half_precision_are_refused() -> None:
    with pytest.raises(BundleError, match="do not fit into 4 bits"):
        scales_of(np.full((1, GROUP), 1e8, np.float32), 4)
