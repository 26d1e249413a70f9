"""Our products of packed rows, compiled alone, against numpy on what gguf's own reader unpacks."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize, quantize
from numpy.typing import NDArray

from autoglm_phone.backends.llama_cpp import kernels

SOURCE = Path(kernels.__file__).with_name("rows16.cpp")
FLAGS = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
BLOCK, BLOCK_BYTES = 32, 34

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
    return library


def pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def packed(library: ctypes.CDLL, kind: GGMLQuantizationType, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    num_rows = len(blocks)
    num_blocks = blocks.shape[1] // (BLOCK_BYTES if kind == GGMLQuantizationType.Q8_0 else 22)
    target = np.zeros(num_rows * num_blocks * BLOCK_BYTES, np.uint8)
    pack = library.rows16_pack_q8_0 if kind == GGMLQuantizationType.Q8_0 else library.rows16_pack_q5_0
    pack(pointer(target), pointer(blocks), ctypes.c_int64(num_rows), ctypes.c_int64(num_blocks))
    return target


def in_quads(inputs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows of block_q8_0, four at a time, as block_q8_0x4: four scales, then codes in turns of eight bytes."""
    num_inputs, size = inputs.shape
    blocks = inputs.reshape(num_inputs // 4, 4, size // BLOCK_BYTES, BLOCK_BYTES).transpose(0, 2, 1, 3)
    scales, codes = blocks[..., :2], blocks[..., 2:]
    turns = codes.reshape(*codes.shape[:3], 4, 8).transpose(0, 1, 3, 2, 4)
    return np.concatenate([scales.reshape(*scales.shape[:2], -1), turns.reshape(*turns.shape[:2], -1)], axis=-1).copy()


@pytest.mark.parametrize("kind", [GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q5_0])
@pytest.mark.parametrize(("num_rows", "num_columns"), [(16, 32), (48, 896), (32, 4864), (80, 64)])
@pytest.mark.parametrize("num_inputs", [1, 4, 12])
def test_products_are_those_of_the_unpacked_numbers(
    library: ctypes.CDLL, kind: GGMLQuantizationType, num_rows: int, num_columns: int, num_inputs: int
) -> None:
    rng = np.random.default_rng(num_rows * num_columns + num_inputs)
    weights = quantize(rng.normal(size=(num_rows, num_columns)).astype(np.float32), kind)
    # large and small values, so that a wrong scale or the surplus of a wrong block shows
    spread = rng.normal(size=(num_inputs, num_columns)) * np.exp(rng.normal(size=(num_inputs, 1)))
    inputs = quantize(spread.astype(np.float32), GGMLQuantizationType.Q8_0)
    expected = dequantize(inputs, GGMLQuantizationType.Q8_0).astype(np.float64) @ dequantize(weights, kind).T

    out = np.full((num_inputs, num_rows), np.nan, np.float32)
    rows = packed(library, kind, weights)
    if num_inputs == 1:
        library.rows16_one(num_columns, pointer(out), pointer(rows), pointer(inputs), num_rows)
    else:
        quads = in_quads(inputs)
        library.rows16_many(
            num_columns, pointer(out), ctypes.c_size_t(num_rows), pointer(rows), pointer(quads), num_inputs, num_rows
        )
    assert np.abs(out - expected).max() < 1e-5 * np.abs(expected).max()


def test_extreme_codes_do_not_overflow(library: ctypes.CDLL) -> None:
    one = np.frombuffer(np.float16(1.0).tobytes() + b"\x80" * BLOCK, np.uint8)  # scale 1, every code -128
    weights = np.tile(one, (16, 152))
    out = np.zeros((1, 16), np.float32)
    rows = packed(library, GGMLQuantizationType.Q8_0, weights)
    vector = weights[0].copy()
    library.rows16_one(4864, pointer(out), pointer(rows), pointer(vector), 16)
    assert (out == 4864 * 128 * 128).all()


def test_only_whole_groups_of_rows_and_whole_blocks_fit(library: ctypes.CDLL) -> None:
    sizes = {(896, 128): True, (896, 120): False, (880, 128): False}
    for (num_columns, num_rows), fits in sizes.items():
        assert library.rows16_fits(ctypes.c_int64(num_columns), ctypes.c_int64(num_rows)) is fits
