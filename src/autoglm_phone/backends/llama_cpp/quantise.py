"""Numbers to ggml's blocks, by ggml itself: the same bytes as llama.cpp's own quantiser writes."""

import numpy as np

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import Bytes, Floats
from autoglm_phone.weights.gguf_types import TensorType, number_of


class Quantiser:
    """May be called from several threads: the interpreter is let go of meanwhile."""

    def __init__(self, library: LlamaLibrary) -> None:
        self._library = library

    def __call__(self, rows: Floats, type_: TensorType) -> Bytes:
        """(rows, numbers of a row) float32 -> (rows, bytes of a row) uint8; a row is a whole number of blocks.

        Raises BundleError if a number is too large for the type.
        """
        rows = np.ascontiguousarray(rows, np.float32)
        num_rows, row_len = rows.shape
        assert row_len % type_.block_len == 0
        out = np.empty((num_rows, row_len // type_.block_len * type_.block_bytes), np.uint8)
        ffi, lib = self._library.ffi, self._library.lib
        source, target = ffi.from_buffer("float[]", rows), ffi.from_buffer("uint8_t[]", out)
        number = number_of(type_)
        written = lib.ggml_quantize_chunk(number, source, target, 0, num_rows, row_len, ffi.NULL)
        assert written == out.nbytes
        if not lib.ggml_validate_row_data(number, target, out.nbytes):
            raise BundleError(f"numbers up to {np.abs(rows).max():g} do not fit into {type_.name}")
        return out
