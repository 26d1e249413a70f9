"""Our products of packed rows, compiled alone, against numpy on what gguf's own reader unpacks."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize, quantize
from numpy.typing import NDArray

from autoglm_phone.backends.llama_cpp import kernels

SOURCE = Path(kernels.__file__).with_name("rows16.cpp")
FLAGS = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
BLOCK, BLOCK_BYTES = 32, 34
Q8_0, Q5_0, Q4_K, Q6_K = (
    GGMLQuantizationType.Q8_0,
    GGMLQuantizationType.Q5_0,
    GGMLQuantizationType.Q4_K,
    GGMLQuantizationType.Q6_K,
)
KINDS = {Q8_0: 0, Q5_0: 1, Q4_K: 2, Q6_K: 3}
SIMPLE = (Q8_0, Q5_0)
SCALES_AT = {Q4_K: (0, 2), Q6_K: (208,)}  # bytes of a block where its half-precision scales are
Packed = NDArray[np.uint8]

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None or "avx512_vnni" not in FLAGS, reason="needs g++ and a CPU with AVX-512 VNNI"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    target = tmp_path_factory.mktemp("rows16") / "rows16.so"
    command = ["g++", "-O2", "-march=native", "-w", "-shared", "-fPIC", str(SOURCE), "-o", str(target)]
    subprocess.run(command, check=True, timeout=120)
    library = ctypes.CDLL(str(target))
    library.rows16_fits.restype = ctypes.c_bool
    library.rows16_row_bytes.restype = ctypes.c_size_t
    return library


def pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def packed(library: ctypes.CDLL, kind: GGMLQuantizationType, weights: NDArray[np.uint8], num_columns: int) -> Packed:
    """A row of canaries behind the packed ones: nothing may be written there."""
    size = len(weights) * library.rows16_row_bytes(KINDS[kind], ctypes.c_int64(num_columns))
    target = np.full(size + 64, 0xA5, np.uint8)
    library.rows16_pack(
        KINDS[kind], pointer(target), pointer(weights), ctypes.c_int64(len(weights)), ctypes.c_int64(num_columns)
    )
    assert (target[size:] == 0xA5).all()
    return target


def some_weights(kind: GGMLQuantizationType, num_rows: int, num_columns: int, seed: int) -> NDArray[np.uint8]:
    """Blocks of any bytes with sane scales: gguf writes no K-quants, and random bits meet every code and scale."""
    rng = np.random.default_rng(seed)
    if kind in SIMPLE:
        return np.asarray(quantize(rng.normal(size=(num_rows, num_columns)).astype(np.float32), kind))
    block, size = GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (num_rows, num_columns // block, size), dtype=np.uint8)
    for at in SCALES_AT[kind]:
        scales = rng.uniform(0.001, 0.1, blocks.shape[:2]).astype(np.float16)
        blocks[..., at : at + 2] = scales[..., None].view(np.uint8)
    return blocks.reshape(num_rows, -1)


def in_quads(inputs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows of block_q8_0, four at a time, as block_q8_0x4: four scales, then codes in turns of eight bytes."""
    num_inputs, size = inputs.shape
    blocks = inputs.reshape(num_inputs // 4, 4, size // BLOCK_BYTES, BLOCK_BYTES).transpose(0, 2, 1, 3)
    scales, codes = blocks[..., :2], blocks[..., 2:]
    turns = codes.reshape(*codes.shape[:3], 4, 8).transpose(0, 1, 3, 2, 4)
    return np.concatenate([scales.reshape(*scales.shape[:2], -1), turns.reshape(*turns.shape[:2], -1)], axis=-1).copy()


@pytest.mark.parametrize(
    ("kind", "num_rows", "num_columns"),
    [(kind, rows, columns) for kind in SIMPLE for rows, columns in ((16, 32), (48, 896), (32, 4864), (80, 64))]
    + [(kind, rows, columns) for kind in (Q4_K, Q6_K) for rows, columns in ((16, 256), (48, 1536), (32, 4864))],
)
@pytest.mark.parametrize("num_inputs", [1, 4, 12])
def test_products_are_those_of_the_unpacked_numbers(
    library: ctypes.CDLL, kind: GGMLQuantizationType, num_rows: int, num_columns: int, num_inputs: int
) -> None:
    rng = np.random.default_rng(num_rows * num_columns + num_inputs)
    weights = some_weights(kind, num_rows, num_columns, num_rows * num_columns)
    # large and small values, so that a wrong scale or the surplus of a wrong block shows
    spread = rng.normal(size=(num_inputs, num_columns)) * np.exp(rng.normal(size=(num_inputs, 1)))
    inputs = quantize(spread.astype(np.float32), Q8_0)
    expected = dequantize(inputs, Q8_0).astype(np.float64) @ dequantize(weights, kind).astype(np.float64).T

    out = np.full((num_inputs, num_rows), np.nan, np.float32)
    rows = packed(library, kind, weights, num_columns)
    if num_inputs == 1:
        library.rows16_one(KINDS[kind], num_columns, pointer(out), pointer(rows), pointer(inputs), num_rows)
    else:
        quads = in_quads(inputs)
        stride = ctypes.c_size_t(num_rows)
        library.rows16_many(
            KINDS[kind], num_columns, pointer(out), stride, pointer(rows), pointer(quads), num_inputs, num_rows
        )
    assert np.abs(out - expected).max() < 1e-5 * np.abs(expected).max()


def test_extreme_codes_do_not_overflow(library: ctypes.CDLL) -> None:
    one = np.frombuffer(np.float16(1.0).tobytes() + b"\x80" * BLOCK, np.uint8)  # scale 1, every code -128
    weights = np.tile(one, (16, 152))
    out = np.zeros((1, 16), np.float32)
    rows, vector = packed(library, Q8_0, weights, 4864), weights[0].copy()
    library.rows16_one(KINDS[Q8_0], 4864, pointer(out), pointer(rows), pointer(vector), 16)
    assert (out == 4864 * 128 * 128).all()


def test_only_whole_groups_of_rows_and_whole_blocks_fit(library: ctypes.CDLL) -> None:
    sizes = {(Q8_0, 896, 128): True, (Q8_0, 896, 120): False, (Q5_0, 880, 128): False, (Q4_K, 896, 128): False}
    for (kind, num_columns, num_rows), fits in sizes.items():
        assert library.rows16_fits(KINDS[kind], ctypes.c_int64(num_columns), ctypes.c_int64(num_rows)) is fits


def test_packed_rows_take_no_more_room_than_is_said(library: ctypes.CDLL) -> None:
    bytes_of = {kind: library.rows16_row_bytes(number, ctypes.c_int64(512)) for kind, number in KINDS.items()}
    assert bytes_of == {Q8_0: 16 * 34, Q5_0: 16 * 22, Q4_K: 2 * 148, Q6_K: 2 * 210}
