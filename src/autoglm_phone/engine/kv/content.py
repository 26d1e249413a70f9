"""What a run of KV positions was computed from. Two runs may share KV exactly as far as these agree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.prompt import EmbedSpan, Grid

UNDER_EMBEDDING = -1  # stands in `keys` where an embedding was fed; the span tells which


@dataclass(frozen=True)
class MediaKey:
    """A medium's place and full digests: every image placeholder looks alike, these do not."""

    start: int
    length: int
    media_digest: Digest
    module_digest: Digest
    grid: Grid | None

    @classmethod
    def of(cls, span: EmbedSpan) -> "MediaKey":
        return cls(span.start, len(span.embeddings), span.media_digest, span.module_digest, span.grid)

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def lag(self) -> int:
        """How far positions fall behind cells over this medium."""
        return 0 if self.grid is None else self.length - self.grid.num_positions


@dataclass(frozen=True, eq=False)
class Content:
    """keys: (T,) int32 token ids; media: the embedding spans among them, in order.

    Counted in cells of the cache. Behind a picture, positions are fewer.
    """

    keys: NDArray[np.int32]
    media: tuple[MediaKey, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def lag_at(self, length: int) -> int:
        """How far positions lie behind cells where `length` cells end; none of the media is cut there."""
        return sum(key.lag for key in self.media if key.end <= length)

    def first(self, length: int) -> "Content":
        """The first `length` positions; a medium is never cut."""
        media = tuple(key for key in self.media if key.start < length)
        assert all(key.end <= length for key in media), "a medium is cut"
        return Content(self.keys[:length], media)

    def common_prefix(self, other: "Content") -> int:
        """Length of the longest prefix that both were computed from; it ends before a medium, never inside."""
        shortest = min(len(self), len(other))
        differs = self.keys[:shortest] != other.keys[:shortest]
        length = int(differs.argmax()) if differs.any() else shortest
        shared = set(other.media)
        for key in self.media:
            if key.start < length and (key not in shared or key.end > length):
                return key.start
        return length
