"""The tensors of a safetensors file: their directory, and their bytes as views of a memory map.

The file is hostile until its digest says otherwise: every length, dimension and offset is compared with the file
before anything is made of it, and what a BundleError says begins with the file and names the field.
Source: github.com/huggingface/safetensors, README.md ("Format").
"""

import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from autoglm_phone.core.errors import BundleError

LENGTH_BYTES = 8  # in front of the header: its size
MAX_HEADER_BYTES = 4 << 20  # about 30,000 tensors; an entry takes some hundred bytes in Python
MAX_TENSORS = 2**15
MAX_DIMENSIONS = 8
MAX_NAME_CHARS = 512
NOTES = "__metadata__"  # a key of the header that is no tensor: words for people

ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Size = Annotated[int, Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True)
class StoredTensor:
    """dtype: the format's own name, such as BF16. offset: within the whole file."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def row_bytes(self) -> int:
        return (self.shape[-1] if self.shape else 1) * ITEM_BYTES[self.dtype]

    @property
    def num_rows(self) -> int:
        return math.prod(self.shape[:-1])

    @property
    def size_bytes(self) -> int:
        return self.num_rows * self.row_bytes

    def data(self, start: int = 0, stop: int | None = None) -> Bytes:
        """(rows, bytes of a row) uint8, read-only: rows from `start` up to `stop`, all dimensions but the last in one.

        Only the rows asked for are mapped, and nothing is read before it is touched; a file that is cut short
        meanwhile kills the reader (SIGBUS), so it must not be written to in place. Raises BundleError.
        """
        start, stop, _ = slice(start, stop).indices(self.num_rows)
        shape = (stop - start, self.row_bytes)
        try:
            return np.memmap(self.path, np.uint8, "r", self.offset + start * self.row_bytes, shape).view(np.ndarray)
        except (OSError, ValueError) as error:  # gone, or shorter than it was
            raise BundleError(f"{self.path.name} cannot be read at tensor {self.name!r}: {error}") from error


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """data_offsets: first byte and the one behind the last, from the end of the header."""

    dtype: str
    shape: Annotated[tuple[Size, ...], Meta(max_length=MAX_DIMENSIONS)]
    data_offsets: tuple[Size, Size]


def read_safetensors(path: Path) -> Mapping[str, StoredTensor]:
    """The directory by name; no tensor is touched. Raises BundleError that names what is wrong."""
    header, data_bytes = _read_header(path)
    entries = _entries(path, header)
    start = LENGTH_BYTES + len(header)
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        if entry.data_offsets[0] != end:
            raise _damaged(path, f"the offsets of tensor {name!r}", f"it does not begin at {end}, where the last ends")
        end += _size_bytes(path, name, entry)
        if entry.data_offsets[1] != end:
            raise _damaged(path, f"the offsets of tensor {name!r}", f"its shape and dtype end at {end}")
        if end > data_bytes:
            raise _damaged(path, f"the offsets of tensor {name!r}", f"{end} is past the {data_bytes} bytes of data")
    if end != data_bytes:
        raise _damaged(path, "the offsets", f"the last {data_bytes - end} bytes belong to no tensor")
    return {
        name: StoredTensor(path, name, entry.dtype, entry.shape, start + entry.data_offsets[0])
        for name, entry in entries.items()
    }


def _read_header(path: Path) -> tuple[bytes, int]:
    """The header, and how many bytes are behind it."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{path.name} is not a file")
        with path.open("rb") as file:
            size = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if size > MAX_HEADER_BYTES or size > found.st_size - LENGTH_BYTES:
                raise _damaged(
                    path,
                    "the length of the header",
                    f"{size} bytes are more than the file has, or than {MAX_HEADER_BYTES}",
                )
            header = file.read(size)
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read: {error.strerror}") from error
    if not header.startswith(b"{"):
        raise BundleError(f"{path.name} is not a safetensors file: its header does not begin with '{{'")
    return header, found.st_size - LENGTH_BYTES - size


def _entries(path: Path, header: bytes) -> dict[str, _Entry]:
    try:
        found = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _damaged(path, "the header", str(error)) from error
    found.pop(NOTES, None)
    if len(found) > MAX_TENSORS:
        raise _damaged(path, "the header", f"{len(found)} tensors are more than {MAX_TENSORS}")
    entries = {}
    for name, raw in found.items():
        if not 0 < len(name) <= MAX_NAME_CHARS:
            raise _damaged(path, "the name of a tensor", f"{len(name)} characters are none, or over {MAX_NAME_CHARS}")
        try:
            entries[name] = msgspec.json.decode(raw, type=_Entry)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise _damaged(path, f"tensor {name!r}", str(error)) from error
    return entries


def _size_bytes(path: Path, name: str, entry: _Entry) -> int:
    """Python's integers do not overflow: the product is compared with the file as it is."""
    if entry.dtype not in ITEM_BYTES:
        raise _damaged(path, f"the dtype of tensor {name!r}", f"{entry.dtype[:32]!r} is not known")
    if 0 in entry.shape:
        raise _damaged(path, f"the shape of tensor {name!r}", f"{entry.shape} holds a zero")
    return math.prod(entry.shape) * ITEM_BYTES[entry.dtype]


def _damaged(path: Path, field: str, problem: str) -> BundleError:
    return BundleError(f"{path.name} is damaged at {field}: {problem}; fetch the file again")
