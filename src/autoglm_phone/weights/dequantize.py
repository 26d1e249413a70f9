"""Block-quantised weights to float32, bit for bit as ggml's reference computes them.

The plain reference of every faster path: numpy, a bounded number of blocks at a time, so that a tensor of any size
needs its output and a small scratch. Knows bytes and blocks, nothing of files.
Source: github.com/ggml-org/ggml, src/ggml-common.h (the blocks) and src/ggml-quants.c (dequantize_row_*).

A block of `Qn_0` has a half-precision scale d and codes around zero (d * code); `Qn_1` has a minimum too
(d * code + m). A block of `Qn_K` has 256 numbers in groups of 16 or 32, whose scales (and minima) are small
integers times d (and dmin).
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.gguf_types import TensorType

SCRATCH_ELEMENTS = 1 << 18  # numbers unpacked at a time: a few MB with all that is made on the way
K_BLOCK = 256

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Floats = np.ndarray[Any, np.dtype[np.float32]]
Unpack = Callable[[Bytes], Floats]


def dequantize(data: Bytes, type_: TensorType) -> Floats:
    """(rows, bytes of a row) uint8 -> (rows, numbers of a row) float32; any leading shape is kept.

    Raises BundleError for a type that this reader does not unpack, ValueError if rows are no whole blocks.
    """
    unpack = UNPACK.get(type_.name)
    if unpack is None:
        raise BundleError(f"tensors of type {type_.name} cannot be unpacked, only {', '.join(UNPACK)}")
    row_blocks, rest = divmod(data.shape[-1], type_.block_bytes)
    if rest:
        raise ValueError(f"rows of {data.shape[-1]} bytes are not made of blocks of {type_.block_bytes}")
    blocks = data.reshape(-1, type_.block_bytes)
    out = np.empty((len(blocks), type_.block_len), np.float32)
    step = max(1, SCRATCH_ELEMENTS // type_.block_len)
    # A damaged scale may be infinite or not a number: the product says so, without a warning.
    with np.errstate(invalid="ignore"):
        for start in range(0, len(blocks), step):
            part = slice(start, start + step)
            out[part] = unpack(np.ascontiguousarray(blocks[part]))
    return out.reshape(*data.shape[:-1], row_blocks * type_.block_len)


# Each takes (B, bytes of a block) and gives (B, numbers of a block); B counts blocks here.


def _f32(blocks: Bytes) -> Floats:
    return blocks.view("<f4")


def _f16(blocks: Bytes) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _q4_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * _signed(_nibbles(blocks[:, 2:18]), 8)


def _q4_1(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * _nibbles(blocks[:, 4:20]).astype(np.float32) + _half(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * _signed(_fives(blocks[:, 2:22]), 16)


def _q5_1(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * _fives(blocks[:, 4:24]).astype(np.float32) + _half(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * blocks[:, 2:34].view(np.int8).astype(np.float32)


def _q2_k(blocks: Bytes) -> Floats:
    scales = blocks[:, :16]  # (B, 16): a scale and a minimum of four bits each
    scale = _half(blocks, 80) * (scales & 15).astype(np.float32)
    minimum = _half(blocks, 82) * (scales >> 4).astype(np.float32)
    codes = _crumbs(blocks[:, 16:80]).reshape(-1, 16, 16).astype(np.float32)
    return (scale[..., None] * codes - minimum[..., None]).reshape(-1, K_BLOCK)


def _q3_k(blocks: Bytes) -> Floats:
    joined = _joined(_crumbs(blocks[:, 32:96]), _single_bits(blocks[:, :32]), 2)
    codes = _signed(joined, 4).reshape(-1, 16, 16)
    scale = _half(blocks, 108) * _signed(_sixes(blocks[:, 96:108]), 32)
    return (scale[..., None] * codes).reshape(-1, K_BLOCK)


def _q4_k(blocks: Bytes) -> Floats:
    return _scaled_and_shifted(blocks, _group_nibbles(blocks[:, 16:144]))


def _q5_k(blocks: Bytes) -> Floats:
    return _scaled_and_shifted(blocks, _joined(_group_nibbles(blocks[:, 48:176]), _single_bits(blocks[:, 16:48]), 4))


def _q6_k(blocks: Bytes) -> Floats:
    low = _bits(blocks[:, :128].reshape(-1, 2, 1, 64), (0, 4), 15).reshape(-1, 8, 32)  # two halves of four groups each
    codes = _signed(_joined(low, _crumbs(blocks[:, 128:192]), 4), 32).reshape(-1, 16, 16)
    scale = _half(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return (scale[..., None] * codes).reshape(-1, K_BLOCK)


UNPACK: dict[str, Unpack] = {
    "F32": _f32,
    "F16": _f16,
    "BF16": _bf16,
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}


def _half(blocks: Bytes, offset: int) -> Floats:
    """(B, 1): the half-precision number at a byte of each block."""
    return blocks[:, offset : offset + 2].view("<f2").astype(np.float32)


def _signed(codes: Bytes, zero: int) -> Floats:
    return (codes.view(np.int8) - np.int8(zero)).astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """(B, N) -> (B, 2 N): the low halves of all bytes, then the high ones."""
    return np.concatenate((packed & 15, packed >> 4), axis=1)


def _bits(packed: Bytes, shifts: Iterable[int], mask: int) -> Bytes:
    """(..., 1, N) -> (..., shifts, N): of each byte the masked bits behind every shift."""
    column = np.array(list(shifts), np.uint8)[:, None]
    found: Bytes = np.bitwise_and(np.right_shift(packed, column), np.uint8(mask))
    return found


def _joined(low: Bytes, high: Bytes, num_low_bits: int) -> Bytes:
    codes: Bytes = np.bitwise_or(low, np.left_shift(high, np.uint8(num_low_bits)))
    return codes


def _fives(packed: Bytes) -> Bytes:
    """(B, 20) -> (B, 32): a fifth bit of each code, then the nibbles."""
    high = np.unpackbits(packed[:, :4], axis=1, bitorder="little")
    return _joined(_nibbles(packed[:, 4:]), high, 4)


def _crumbs(packed: Bytes) -> Bytes:
    """(B, 32 or 64) -> (B, 4 or 8, 32): of each 32 bytes first all lowest two bits, then the next two, ..."""
    return _bits(packed.reshape(len(packed), -1, 1, 32), (0, 2, 4, 6), 3).reshape(len(packed), -1, 32)


def _single_bits(packed: Bytes) -> Bytes:
    """(B, 32) -> (B, 8, 32): first all lowest bits, then the next ones, ..."""
    return _bits(packed[:, None], range(8), 1)


def _group_nibbles(packed: Bytes) -> Bytes:
    """(B, 128) -> (B, 8, 32): of each 32 bytes the low halves, then the high ones."""
    return _bits(packed.reshape(-1, 4, 1, 32), (0, 4), 15).reshape(-1, 8, 32)


def _sixes(packed: Bytes) -> Bytes:
    """(B, 12) -> (B, 16): Q3_K's scales; four low bits of each in eight bytes, two high bits in four."""
    high = _bits(packed[:, None, 8:], (0, 2, 4, 6), 3)  # (B, 4, 4)
    return _joined(_nibbles(packed[:, :8]), high.reshape(-1, 16), 4)


def _scaled_and_shifted(blocks: Bytes, codes: Bytes) -> Floats:
    """Q4_K and Q5_K: codes (B, 8, 32), eight scales and minima of six bits in twelve bytes behind d and dmin."""
    first, second, third = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = np.concatenate((first & 63, (third & 15) | (first >> 6 << 4)), axis=1)
    minima = np.concatenate((second & 63, (third >> 4) | (second >> 6 << 4)), axis=1)
    scale = _half(blocks, 0) * scales.astype(np.float32)
    minimum = _half(blocks, 2) * minima.astype(np.float32)
    return (scale[..., None] * codes.astype(np.float32) - minimum[..., None]).reshape(-1, K_BLOCK)
