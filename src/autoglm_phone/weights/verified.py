"""Digests of files, remembered as long as a file keeps its size, time and inode: a start need not hash 640 MB again."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import Digest

CHUNK_BYTES = 1 << 20
OnBytes = Callable[[int], None]


class _Stamp(msgspec.Struct, frozen=True, array_like=True):
    size_bytes: int
    mtime_ns: int
    inode: int
    sha256: str


class VerifiedFiles:
    """`stamp_file` holds the known digests by absolute path; a damaged or missing one only costs time."""

    def __init__(self, stamp_file: Path) -> None:
        self._stamp_file = stamp_file

    def digest(self, path: Path, on_bytes: OnBytes = lambda _: None) -> Digest:
        """The file's sha256, from its stamp if it has not changed. Raises OSError if it cannot be read."""
        path = path.absolute()
        before = path.stat()
        stamp = self._load().get(str(path))
        if stamp is not None and _is_of(stamp, before):
            on_bytes(before.st_size)
            return Digest(stamp.sha256)
        digest = hash_file(path, on_bytes)
        if _is_of(_stamp(before, digest), path.stat()):  # not written to meanwhile
            self.record(path, digest)
        return digest

    def record(self, path: Path, digest: Digest) -> None:
        path = path.absolute()
        stamps = {place: stamp for place, stamp in self._load().items() if os.path.exists(place)}
        stamps[str(path)] = _stamp(path.stat(), digest)
        # a cache folder that cannot be written to still serves, only slower
        with contextlib.suppress(OSError):
            replace_file(self._stamp_file, msgspec.json.encode(stamps))

    def _load(self) -> dict[str, _Stamp]:
        try:
            return msgspec.json.decode(self._stamp_file.read_bytes(), type=dict[str, _Stamp])
        except (OSError, msgspec.MsgspecError):
            return {}


def hash_file(path: Path, on_bytes: OnBytes = lambda _: None) -> Digest:
    sha256 = hashlib.sha256()
    for chunk in _chunks([path]):
        sha256.update(chunk)
        on_bytes(len(chunk))
    return Digest(sha256.hexdigest())


def join_files(places: Iterable[Path], target: Path, wanted: Digest, on_bytes: OnBytes) -> None:
    """Copy the files one after the other into `target`, which appears when it is whole, synced and verified."""
    draft = target.with_name(target.name + ".part")
    sha256 = hashlib.sha256()
    try:
        with draft.open("wb") as out:
            for chunk in _chunks(places):
                sha256.update(chunk)
                out.write(chunk)
                on_bytes(len(chunk))
            out.flush()
            os.fsync(out.fileno())
        _require(target, Digest(sha256.hexdigest()), wanted)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def take_over(source: Path, target: Path, wanted: Digest, on_bytes: OnBytes) -> None:
    """Make a file of the same disk `target` if it is the wanted one; otherwise it is deleted."""
    try:
        _require(target, hash_file(source, on_bytes), wanted)
        source.replace(target)
    finally:
        source.unlink(missing_ok=True)


def _require(target: Path, digest: Digest, wanted: Digest) -> None:
    if digest != wanted:
        raise BundleError(
            f"what was to become {target} has the sha256 {digest}, not {wanted}: its source is damaged or is not the "
            "one that the bundle names"
        )


def _chunks(places: Iterable[Path]) -> Iterator[bytes]:
    for place in places:
        with place.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def replace_file(path: Path, data: bytes) -> None:
    """Write under another name first: whoever reads meanwhile sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    draft.write_bytes(data)
    draft.replace(path)


def _stamp(stat: os.stat_result, digest: Digest) -> _Stamp:
    return _Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino, digest)


def _is_of(stamp: _Stamp, stat: os.stat_result) -> bool:
    return (stamp.size_bytes, stamp.mtime_ns, stamp.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
