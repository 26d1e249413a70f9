"""A large file, written part by part beside its final name: whole under that name, or not there at all.

What a killed run has written is kept and gone on with by the next one, if that is to write the same file: the draft's
name holds a digest of the file's head, and the head one of what it is made from (fingerprint.py).
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.progress import Progress

SUFFIX = ".part"

Buffer = bytes | np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """chunks: called when the part's turn comes; together they have size_bytes. padding: zeros behind them."""

    size_bytes: int
    chunks: Callable[[], Iterable[Buffer]]
    padding: int = 0


def write_resumably(target: Path, head: bytes, parts: Sequence[Part], progress: Progress) -> None:
    """Head and parts into `target`. Does nothing if that is this very file already.

    Raises BundleError if the folder cannot be written to, is too full, or another process is writing the same file.
    """
    total = len(head) + sum(part.size_bytes + part.padding for part in parts)
    draft = target.with_name(f"{target.name}.{hashlib.sha256(head).hexdigest()[:16]}{SUFFIX}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if _begins_with(target, head) and target.stat().st_size == total:
            progress(target.name, total, total)
            return
        with _opened_alone(draft) as file:
            _delete_other_drafts(target, draft)
            _check_space(target, total - file.seek(0, os.SEEK_END))
            _write(file, head, parts, lambda done: progress(target.name, done, total))
            file.flush()
            os.fsync(file.fileno())
            draft.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise BundleError(f"{target} cannot be written: {error.strerror or error}") from error


def _write(file: BinaryIO, head: bytes, parts: Sequence[Part], report: Callable[[int], None]) -> None:
    written = file.seek(0, os.SEEK_END)
    at = len(head)
    if written < at:
        file.truncate(0)
        file.seek(0)
        file.write(head)
        written = at
    for part in parts:
        end = at + part.size_bytes + part.padding
        if end > written:  # of a part that was cut off nothing is kept
            file.truncate(at)
            file.seek(at)
            for chunk in part.chunks():
                file.write(chunk if isinstance(chunk, bytes) else chunk.data.cast("B"))
                report(file.tell())
            assert file.tell() == at + part.size_bytes
            file.write(bytes(part.padding))
        at = end
        report(at)


@contextmanager
def _opened_alone(draft: Path) -> Iterator[BinaryIO]:
    """Held by one process at a time; the kernel lets go of it when that process ends, however it ends."""
    with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(f"another process is writing {draft}; wait for it, or stop it") from None
        yield file


def _begins_with(path: Path, head: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(head)) == head
    except FileNotFoundError:
        return False


def _delete_other_drafts(target: Path, draft: Path) -> None:
    """What runs with another source or format have left."""
    for path in target.parent.iterdir():
        is_draft = path.name.startswith(f"{target.name}.") and path.name.endswith(SUFFIX)
        if is_draft and path != draft:
            path.unlink(missing_ok=True)


def _check_space(target: Path, needed_bytes: int) -> None:
    place = os.statvfs(target.parent)
    free_bytes = place.f_bavail * place.f_frsize
    if free_bytes < needed_bytes:
        raise BundleError(
            f"{target.name} needs {needed_bytes / 1e6:.0f} MB in {target.parent} and the disk has "
            f"{free_bytes / 1e6:.0f} MB free; make room, or name a folder on another disk"
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
