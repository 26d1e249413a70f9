"""Metadata of a GGUF file, read without trusting it: every length is checked against the file before it is used.

Format: ggml's docs/gguf.md, versions 2 and 3, little endian.
"""

import mmap
import struct
from pathlib import Path
from typing import Any, Final

from autoglm_phone.core.errors import BundleError

MAX_KEYS = 65_536
MAX_STRING_BYTES = 16 << 20
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


def read_metadata(path: Path) -> dict[str, Any]:
    """All key-value pairs; arrays as lists. Raises BundleError that names the field which is wrong."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return _Reader(path, view).metadata()
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


class _Reader:
    def __init__(self, path: Path, view: mmap.mmap) -> None:
        self._path, self._view, self._size, self._at = path, view, len(view), 0

    def metadata(self) -> dict[str, Any]:
        if self._take("magic", 4) != b"GGUF":
            raise BundleError(f"{self._path} is not a GGUF file")
        version = self._scalar("version", "I")
        if version not in (2, 3):
            raise BundleError(f"{self._path} is GGUF version {version}; 2 and 3 are supported")
        self._scalar("tensor count", "Q")
        num_keys = self._scalar("key count", "Q")
        if num_keys > MAX_KEYS:
            raise BundleError(f"{self._path}: key count is {num_keys}, the limit is {MAX_KEYS}")
        values: dict[str, Any] = {}
        for index in range(num_keys):
            key = self._string(f"key {index}")
            values[key] = self._value(key, self._scalar(f"type of {key}", "I"))
        return values

    def _value(self, key: str, kind: int) -> Any:
        if kind == _STRING:
            return self._string(key)
        if kind == _ARRAY:
            return self._array(key)
        return self._scalar(key, self._code(key, kind))

    def _array(self, key: str) -> list[Any]:
        kind, count = self._scalar(f"element type of {key}", "I"), self._scalar(f"length of {key}", "Q")
        if kind == _STRING:
            # Each string takes at least its length field, so the file bounds the count before anything is made.
            self._check(key, count * 8)
            return [self._string(key) for _ in range(count)]
        code = "<" + str(count) + self._code(key, kind) if count else ""
        self._check(key, count * struct.calcsize("<" + self._code(key, kind)))
        return list(struct.unpack(code, self._take(key, struct.calcsize(code)))) if count else []

    def _code(self, key: str, kind: int) -> str:
        if kind not in _SCALARS:
            raise BundleError(f"{self._path}: {key} has type {kind}, which GGUF does not know")
        return _SCALARS[kind]

    def _string(self, what: str) -> str:
        length = self._scalar(f"length of {what}", "Q")
        if length > MAX_STRING_BYTES:
            raise BundleError(f"{self._path}: {what} has {length} bytes, the limit is {MAX_STRING_BYTES}")
        return self._take(what, length).decode("utf-8", "replace")

    def _scalar(self, what: str, code: str) -> Any:
        return struct.unpack("<" + code, self._take(what, struct.calcsize("<" + code)))[0]

    def _take(self, what: str, length: int) -> bytes:
        self._check(what, length)
        chunk = self._view[self._at : self._at + length]
        self._at += length
        return chunk

    def _check(self, what: str, length: int) -> None:
        if length > self._size - self._at:
            raise BundleError(f"{self._path} ends inside {what}: {length} bytes wanted at {self._at} of {self._size}")
