"""Readings that were made before, bounded in bytes, the least recently used given up first. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Reading

# What an entry weighs besides its text: two digests, the tuples and strings around them.
_ENTRY_BYTES = 512


@dataclass(frozen=True)
class CachedReading:
    reading: Reading
    media_digest: Digest

    @property
    def size_bytes(self) -> int:
        return _ENTRY_BYTES + len(self.reading.text.encode()) + len(self.reading.summary.encode())


class ReadingCache:
    """Keyed by what was read and by the module that read it.

    `source` is the digest of the decoded medium, or of the file it came in: a dialogue sends the same file again at
    every turn, and then it need not even be decoded.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[Digest, Digest], CachedReading] = OrderedDict()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def get(self, source: Digest, module: Digest) -> CachedReading | None:
        entry = self._entries.get((source, module))
        if entry is not None:
            self._entries.move_to_end((source, module))
        return entry

    def put(self, source: Digest, module: Digest, entry: CachedReading) -> None:
        """Keep the entry, at the cost of older ones; an entry over the whole limit is not kept."""
        old = self._entries.pop((source, module), None)
        if old is not None:
            self._size_bytes -= old.size_bytes
        if entry.size_bytes > self._max_bytes:
            return
        self._entries[source, module] = entry
        self._size_bytes += entry.size_bytes
        while self._size_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._size_bytes -= oldest.size_bytes

    def check_invariants(self) -> None:
        assert self._size_bytes == sum(entry.size_bytes for entry in self._entries.values())
        assert self._size_bytes <= self._max_bytes
