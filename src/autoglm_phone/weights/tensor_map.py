"""The tensors of a file as a mapping from names to float32 numbers, unpacked when they are asked for.

What a module is loaded from (load.py): a GGUF file of any type that dequantize.py knows, or a folder of safetensors.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import dequantize
from autoglm_phone.weights.gguf_tensors import GgufTensors

Floats = np.ndarray[Any, np.dtype[np.float32]]


class GgufFloats(Mapping[str, Floats]):
    """Looking a tensor up reads all of it, in the shape that numpy gives it (the row last). Raises BundleError."""

    def __init__(self, file: GgufTensors) -> None:
        self._file = file

    def __getitem__(self, name: str) -> Floats:
        entry = self._file.entries[name]
        return dequantize(self._file.data(name), entry.type).reshape(entry.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.entries)

    def __len__(self) -> int:
        return len(self._file.entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading it. Raises BundleError if there is none of this name."""
        entry = self._file.entries.get(name)
        if entry is None:
            raise BundleError(f"{self._file.path.name} has no tensor {name!r}")
        return entry.shape
