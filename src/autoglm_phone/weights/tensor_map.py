"""The tensors of a file as a mapping from names to float32 numbers, unpacked when they are asked for.

What a module is loaded from (load.py): a GGUF file of any type that dequantize.py knows, or safetensors.
"""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.packed_form import Q8_0, PackedForm
from autoglm_phone.weights.checkpoint import Checkpoint
from autoglm_phone.weights.dequantize import dequantize
from autoglm_phone.weights.gguf_tensors import GgufTensors
from autoglm_phone.weights.gguf_types import TENSOR_TYPES
from autoglm_phone.weights.safetensors_file import StoredTensor
from autoglm_phone.weights.weight_only import CODES, GROUP, SCALES, unpack

Floats = np.ndarray[Any, np.dtype[np.float32]]

# The formats that safetensors files and GGUF files share, under the same names.
PLAIN_TYPES = {type_.name: type_ for type_ in TENSOR_TYPES.values() if type_.name in ("F32", "F16", "BF16")}
CODE_TYPES = {"I8": np.int8, "U8": np.uint8}

# Of a quantised GGUF's tensors those that have fewer numbers are held in full: they are little, and norms among them.
MIN_PACKED_NUMBERS = 1 << 20


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

    def form(self, name: str) -> PackedForm | None:
        """How a linear layer made of it is held: matrices of a quantised file in 8 bits, whatever theirs are."""
        shape = self.shape(name)
        is_large = math.prod(shape) >= MIN_PACKED_NUMBERS
        return Q8_0 if self._is_quantised and is_large and math.prod(shape[1:]) % Q8_0.group == 0 else None

    @cached_property
    def _is_quantised(self) -> bool:
        return any(entry.type.block_len > 1 for entry in self._file.entries.values())


class CheckpointFloats(Mapping[str, Floats]):
    """Looking a tensor up reads all of it. Weights in 8 or 4 bits (weight_only.py) are there under their own names.

    Raises BundleError, also for a tensor that is not of F32, F16 or BF16.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._tensors = checkpoint.tensors
        self._packed = {
            name.removesuffix(CODES)
            for name in self._tensors
            if name.endswith(CODES) and _scales(name) in self._tensors
        }

    def __getitem__(self, name: str) -> Floats:
        if name in self._packed:
            return _unpacked(self._tensors[name + CODES], self._tensors[name + SCALES])
        tensor = self._tensors[name]
        type_ = PLAIN_TYPES.get(tensor.dtype)
        if type_ is None:
            raise BundleError(f"tensor {name!r} is of type {tensor.dtype}, only {', '.join(PLAIN_TYPES)} can be read")
        return dequantize(tensor.data(), type_).reshape(tensor.shape)

    def __iter__(self) -> Iterator[str]:
        halves = {name + part for name in self._packed for part in (CODES, SCALES)}
        return iter(self._packed.union(self._tensors.keys() - halves))

    def __len__(self) -> int:
        return len(self._tensors) - len(self._packed)

    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading it; of packed weights as they are unpacked. Raises BundleError if there is none."""
        form = self.form(name)
        tensor = self._tensors.get(name + CODES if form is not None else name)
        if tensor is None:
            raise BundleError(f"the weights lack {name}")
        if form is None:
            return tensor.shape
        return (*tensor.shape[:-1], *(columns * 8 // form.bits for columns in tensor.shape[-1:]))

    def form(self, name: str) -> PackedForm | None:
        """That of the file, in which a linear layer made of it is held."""
        if name not in self._packed:
            return None
        return PackedForm(8 if self._tensors[name + CODES].dtype == "I8" else 4, GROUP)


def _scales(codes_name: str) -> str:
    return codes_name.removesuffix(CODES) + SCALES


def _unpacked(codes: StoredTensor, scales: StoredTensor) -> Floats:
    dtype = CODE_TYPES.get(codes.dtype)
    if dtype is None or scales.dtype != "F16" or len(codes.shape) != 2:
        raise BundleError(f"tensor {codes.name!r} is not of our forms in 8 or 4 bits (docs/convert.md)")
    rows, columns = codes.shape[0], codes.shape[1] * (1 if codes.dtype == "I8" else 2)
    if columns % GROUP or scales.shape != (rows, columns // GROUP):
        raise BundleError(f"tensor {scales.name!r} is {scales.shape}: no scale for each {GROUP} of {codes.name!r}")
    return unpack(codes.data().view(dtype), scales.data().view("<f2"))
