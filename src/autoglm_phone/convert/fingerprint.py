"""Tells checkpoints apart without reading them whole: two fine-tunes have the same names, shapes and sizes."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

STRIDE_BYTES = 1 << 20
SAMPLE_BYTES = 4096


def fingerprint(files: Iterable[Path]) -> str:
    """A sha256 over sizes and a sample of 4 KiB in every MiB: for the 9B's 20 GB a second or two."""
    sha256 = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            size_bytes = path.stat().st_size
            sha256.update(size_bytes.to_bytes(8, "little"))
            for start in range(0, size_bytes, STRIDE_BYTES):
                file.seek(start)
                sha256.update(file.read(SAMPLE_BYTES))
    return sha256.hexdigest()
