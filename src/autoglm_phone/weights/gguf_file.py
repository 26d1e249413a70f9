"""Reads the metadata of a GGUF file: keys to Python values, without touching the tensors (gguf_tensors.py goes on).

The file is hostile until its digest says otherwise: every length is checked against the file before
anything is allocated, and every fault is a BundleError that names the field.
Source: github.com/ggml-org/ggml, docs/gguf.md (versions 2 and 3, little-endian).
"""

import mmap
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from autoglm_phone.core.errors import BundleError

Value = bool | int | float | str | list[bool] | list[int] | list[float] | list[str]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY, BOOL = 8, 9, 7
NUMBER_TYPES = {
    0: "u1",
    1: "i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    BOOL: "u1",
    10: "<u8",
    11: "<i8",
    12: "<f8",
}
MAX_METADATA_BYTES = 256 * 2**20
MAX_KEY_BYTES = 2**16 - 1  # the format's own limit
# A list takes up to 32 bytes an element in Python; the largest vocabularies have about 10^6 tokens and merges together.
MAX_ELEMENTS = 4_000_000
SMALLEST_ENTRY_BYTES = 8 + 1 + 4 + 1  # key length, one letter, type, the smallest value


def read_metadata(path: Path) -> dict[str, Value]:
    """All keys and values of the header, arrays as lists. Raises BundleError that names what is wrong."""
    with opened_header(path) as header:
        return header.metadata()


@contextmanager
def opened_header(path: Path) -> Iterator["Header"]:
    """A cursor at the beginning of the file. What cannot be opened or mapped is a BundleError too."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield Header(data, path.name)
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:  # mmap refuses an empty file in this way
        raise BundleError(f"{path.name} is not a GGUF file: {error}") from error


class Header:
    """A cursor over the file's header; `field` is what is being read, for error messages.

    After metadata() it stands at the directory of tensors, of which num_tensors are promised.
    """

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self._data = data
        self._end = min(len(data), MAX_METADATA_BYTES)
        self._at = 0
        self._name = name
        self.field = "the header"
        self._elements_left = MAX_ELEMENTS
        self.num_tensors = 0

    @property
    def position(self) -> int:
        return self._at

    @property
    def file_bytes(self) -> int:
        return len(self._data)

    @property
    def bytes_left(self) -> int:
        """Of the header at most: the file may end sooner, and no header is longer than MAX_METADATA_BYTES."""
        return self._end - self._at

    def metadata(self, counted: Collection[str] = ()) -> dict[str, Value]:
        """counted: keys of lists of strings that give their length alone, four times as fast, and are not checked."""
        if self._take(4) != MAGIC:
            raise BundleError(f"{self._name} is not a GGUF file: it does not begin with 'GGUF'")
        version = self.number("<u4")
        if version not in VERSIONS:
            raise self.error(f"version {version} is not supported, only {VERSIONS} in little-endian order")
        self.num_tensors = self.number("<u8")
        num_entries = self.number("<u8")
        if num_entries > self.bytes_left // SMALLEST_ENTRY_BYTES:
            raise self.error(f"{num_entries} entries cannot fit into the file")
        values: dict[str, Value] = {}
        for index in range(num_entries):
            self.field = f"the key of entry {index}"
            key = self.string(MAX_KEY_BYTES)
            if key in values:
                raise self.error(f"the key {key!r} occurs twice")
            self.field = key
            kind = self.number("<u4")
            values[key] = self._count(kind) if key in counted else self._value(kind)
        return values

    def _count(self, kind: int) -> int:
        if kind != ARRAY or self.number("<u4") != STRING:
            raise self.error("it is no list of strings")
        length = self.number("<u8")
        self._claim(length)
        data, end, at = self._data, self._end, self._at
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(length):
            if at + 8 > end:
                raise self.error("it runs past the end of the file")
            at += 8 + unpack(data, at)[0]
        if at > end:
            raise self.error("it runs past the end of the file")
        self._at = at
        return length

    def _value(self, kind: int) -> Value:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self._array(self.number("<u4"), self.number("<u8"))
        values = self._numbers(kind, 1)
        return values[0]

    def _array(self, kind: int, length: int) -> Value:
        self._claim(length)
        return self._strings(length) if kind == STRING else self._numbers(kind, length)

    def _claim(self, length: int) -> None:
        if length > self._elements_left:
            raise self.error(
                f"its {length} elements are more than the {self._elements_left} that are left to this file"
            )
        self._elements_left -= length

    def _numbers(self, kind: int, length: int) -> list[bool] | list[int] | list[float]:
        if kind not in NUMBER_TYPES:
            raise self.error(f"value type {kind} is not known")
        dtype = np.dtype(NUMBER_TYPES[kind])
        values = np.frombuffer(self._take(length * dtype.itemsize), dtype)
        result: list[bool] | list[int] | list[float] = (values != 0 if kind == BOOL else values).tolist()
        return result

    def _strings(self, length: int) -> list[str]:
        """The loop over a vocabulary: kept free of calls, it runs 300,000 times for a common model."""
        data, end, at = self._data, self._end, self._at
        unpack = struct.Struct("<Q").unpack_from
        result: list[str] = []
        try:
            for _ in range(length):
                stop = at + 8 + unpack(data, at)[0]
                if stop > end:
                    raise self.error("it runs past the end of the file")
                result.append(data[at + 8 : stop].decode())
                at = stop
        except struct.error as error:
            raise self.error("it runs past the end of the file") from error
        except UnicodeDecodeError as error:
            raise self.error(f"string {len(result)} is not UTF-8") from error
        self._at = at
        return result

    def string(self, limit_bytes: int = MAX_METADATA_BYTES) -> str:
        size = self.number("<u8")
        if size > limit_bytes:
            raise self.error(f"a string of {size} bytes is over the limit of {limit_bytes}")
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise self.error("it is not UTF-8") from error

    def number(self, dtype: str) -> int:
        return int.from_bytes(self._take(np.dtype(dtype).itemsize), "little")

    def _take(self, size: int) -> bytes:
        if size > self.bytes_left:
            raise self.error("it runs past the end of the file or of the largest allowed header")
        self._at += size
        return self._data[self._at - size : self._at]

    def error(self, problem: str) -> BundleError:
        return BundleError(f"{self._name} is damaged at {self.field}: {problem}; fetch the file again")
