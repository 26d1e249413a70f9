"""Readings and transcripts that were made before, bounded in bytes, the least recently used given up first. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Embeddings, Reading
from autoglm_phone.core.transcript import HearingOptions, Transcript

# What an entry weighs besides its text: two digests, the tuples and strings around them.
_ENTRY_BYTES = 512
_LINE_BYTES, _SEGMENT_BYTES, _WORD_BYTES, _TOKEN_BYTES = 300, 512, 400, 40


@dataclass(frozen=True)
class CachedReading:
    reading: Reading | Embeddings | Transcript
    media_digest: Digest

    @property
    def size_bytes(self) -> int:
        return _ENTRY_BYTES + _size_bytes(self.reading)


def _size_bytes(reading: Reading | Embeddings | Transcript) -> int:
    if isinstance(reading, Embeddings):
        return reading.rows.nbytes
    if isinstance(reading, Reading):
        lines = sum(_LINE_BYTES + len(line.text.encode()) for line in reading.lines)
        return len(reading.text.encode()) + len(reading.summary.encode()) + lines
    segments = [segment for one in reading.heard for segment in one.segments]
    return sum(
        _SEGMENT_BYTES
        + len(segment.text.encode())
        + len(segment.tokens) * _TOKEN_BYTES
        + len(segment.words) * _WORD_BYTES
        for segment in segments
    )


_Key = tuple[Digest, Digest, HearingOptions | None]


class ReadingCache:
    """Keyed by what was read, by the module that read it, and by how a transcript was wanted; None: a reading.

    `source` is the digest of the decoded medium, or of the file it came in: a dialogue sends the same file again at
    every turn, and then it need not even be decoded.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[_Key, CachedReading] = OrderedDict()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def get(self, source: Digest, module: Digest, hearing: HearingOptions | None = None) -> CachedReading | None:
        key = (source, module, hearing)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, source: Digest, module: Digest, entry: CachedReading, hearing: HearingOptions | None = None) -> None:
        """Keep the entry, at the cost of older ones; an entry over the whole limit is not kept."""
        key = (source, module, hearing)
        old = self._entries.pop(key, None)
        if old is not None:
            self._size_bytes -= old.size_bytes
        if entry.size_bytes > self._max_bytes:
            return
        self._entries[key] = entry
        self._size_bytes += entry.size_bytes
        while self._size_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._size_bytes -= oldest.size_bytes

    def check_invariants(self) -> None:
        assert self._size_bytes == sum(entry.size_bytes for entry in self._entries.values())
        assert self._size_bytes <= self._max_bytes
