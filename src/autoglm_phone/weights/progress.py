"""How far the writing or hashing of a bundle's files has come."""

from typing import Protocol

from autoglm_phone.weights.module_spec import FileSpec
from autoglm_phone.weights.verified import OnBytes


class Progress(Protocol):
    """Told while files are written or hashed: `done_bytes` of `total_bytes` of the whole undertaking."""

    def __call__(self, file: str, done_bytes: int, total_bytes: int) -> None: ...


def silent(file: str, done_bytes: int, total_bytes: int) -> None:
    """For whoever does not want to know."""


class Meter:
    """Turns the bytes of single files into the progress of the whole."""

    def __init__(self, progress: Progress, total_bytes: int) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self._done_bytes = 0

    def of(self, file: FileSpec) -> OnBytes:
        def on_bytes(count: int) -> None:
            self._done_bytes += count
            self._progress(file.name, self._done_bytes, self._total_bytes)

        return on_bytes
