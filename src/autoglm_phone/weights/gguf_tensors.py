"""The tensors of a GGUF file: their directory, and their bytes as views of a memory map.

Every name, dimension, type and offset is checked against the file before anything is made of it; what a BundleError
says begins with the file and names the tensor. Numbers come out of the bytes in dequantize.py.
Source: github.com/ggml-org/ggml, docs/gguf.md.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.gguf_file import Header, Value, opened_header
from autoglm_phone.weights.gguf_types import TENSOR_TYPES, TensorType

ALIGNMENT_KEY = "general.alignment"
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
MAX_NAME_BYTES = 64  # the format's own limit
SMALLEST_ENTRY_BYTES = 8 + 1 + 4 + 4 + 8  # name length, one letter, number of dimensions, type, offset
MAX_TENSORS = 2**15  # an entry takes about a kilobyte in Python; the largest models have some thousands

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class TensorEntry:
    """shape: numpy's order, the row last (the file has it first). offset, size_bytes: within the whole file."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int
    size_bytes: int

    @property
    def num_elements(self) -> int:
        return math.prod(self.shape)

    @property
    def row_bytes(self) -> int:
        return self.shape[-1] // self.type.block_len * self.type.block_bytes


@dataclass(frozen=True)
class GgufTensors:
    """A checked file. The views of `data` live as long as they are held; a file cut short meanwhile kills the reader
    (SIGBUS), so it must not be written to in place."""

    path: Path
    metadata: Mapping[str, Value]
    entries: Mapping[str, TensorEntry]

    def data(self, name: str) -> Bytes:
        """(rows, bytes of a row) uint8, read-only: nothing is read before it is touched. Raises BundleError."""
        entry = self.entries.get(name)
        if entry is None:
            raise BundleError(f"{self.path.name} has no tensor {name!r}")
        shape = (entry.size_bytes // entry.row_bytes, entry.row_bytes)
        try:
            return np.memmap(self.path, np.uint8, "r", entry.offset, shape).view(np.ndarray)
        except (OSError, ValueError) as error:  # gone, or shorter than it was
            raise BundleError(f"{self.path.name} cannot be read at tensor {name!r}: {error}") from error


def read_tensors(path: Path, counted: Collection[str] = ()) -> GgufTensors:
    """The metadata and the directory; no tensor is touched. Raises BundleError that names what is wrong.

    counted: as Header.metadata has it.
    """
    with opened_header(path) as header:
        metadata = header.metadata(counted)
        alignment = _alignment(header, metadata)
        places = _places(header)
        # Padding in front of the tensors may be missing where there are none.
        start = _aligned(header.position, alignment)
        entries = {place.name: _entry(header, place, start, alignment) for place in places}
        _check_apart(header, entries.values())
    return GgufTensors(path, metadata, entries)


@dataclass(frozen=True)
class _Place:
    """A directory entry as the file has it: offset from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int


def _alignment(header: Header, metadata: Mapping[str, Value]) -> int:
    value = metadata.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT)
    header.field = ALIGNMENT_KEY
    if type(value) is not int or value <= 0 or value & (value - 1) or value > header.file_bytes:
        raise header.error(f"{value!r} is no power of two within the file")
    return value


def _places(header: Header) -> list[_Place]:
    header.field = "the number of tensors"
    limit = min(header.bytes_left // SMALLEST_ENTRY_BYTES, MAX_TENSORS)
    if header.num_tensors > limit:
        raise header.error(f"{header.num_tensors} tensors are more than the {limit} that can be there")
    places: dict[str, _Place] = {}
    for index in range(header.num_tensors):
        header.field = f"the name of tensor {index}"
        name = header.string(MAX_NAME_BYTES)
        if not name or name in places:
            raise header.error(f"the name {name!r} is empty or occurs twice")
        places[name] = _place(header, name)
    return list(places.values())


def _place(header: Header, name: str) -> _Place:
    header.field = f"the dimensions of tensor {name!r}"
    num_dimensions = header.number("<u4")
    if num_dimensions > MAX_DIMENSIONS:
        raise header.error(f"{num_dimensions} are more than {MAX_DIMENSIONS}")
    # A number alone is written without a dimension.
    shape = tuple(header.number("<u8") for _ in range(num_dimensions))[::-1] or (1,)
    if 0 in shape:
        raise header.error(f"{shape} holds a zero")
    header.field = f"the type of tensor {name!r}"
    kind = header.number("<u4")
    if kind not in TENSOR_TYPES:
        raise header.error(f"{kind} is not known")
    header.field = f"the offset of tensor {name!r}"
    return _Place(name, shape, TENSOR_TYPES[kind], header.number("<u8"))


def _entry(header: Header, place: _Place, start: int, alignment: int) -> TensorEntry:
    """Python's integers do not overflow: a product of dimensions is compared with the file as it is."""
    header.field = f"the dimensions of tensor {place.name!r}"
    blocks, rest = divmod(place.shape[-1], place.type.block_len)
    if rest:
        raise header.error(f"a row of {place.shape[-1]} is not made of blocks of {place.type.block_len}")
    size_bytes = math.prod(place.shape[:-1]) * blocks * place.type.block_bytes
    data_bytes = header.file_bytes - start
    if size_bytes > data_bytes:
        raise header.error(f"{place.shape} of {place.type.name} take {size_bytes} bytes, the file has {data_bytes}")
    header.field = f"the offset of tensor {place.name!r}"
    if place.offset % alignment:
        raise header.error(f"{place.offset} is no multiple of {alignment}")
    if place.offset > data_bytes - size_bytes:
        raise header.error(f"{place.offset} and its {size_bytes} bytes lead past the end of the file")
    return TensorEntry(place.name, place.shape, place.type, start + place.offset, size_bytes)


def _check_apart(header: Header, entries: Iterable[TensorEntry]) -> None:
    end, before = 0, ""
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < end:
            header.field = f"the offset of tensor {entry.name!r}"
            raise header.error(f"its bytes are those of tensor {before!r} as well")
        end, before = entry.offset + entry.size_bytes, entry.name


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
