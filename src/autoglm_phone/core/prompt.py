"""What the decoder is fed: tokens, and embeddings of media that stand between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import Digest, TokenId


@dataclass(frozen=True)
class Grid:
    """How a picture's embeddings lie: row by row, each `columns` wide."""

    rows: int
    columns: int

    @property
    def num_tokens(self) -> int:
        return self.rows * self.columns

    @property
    def num_positions(self) -> int:
        """How far the text behind goes on: its position is one more than the largest coordinate."""
        return max(self.rows, self.columns)

    def positions(self, first: int, low: int, high: int) -> NDArray[np.int32]:
        """(high - low, 3) time, row and column of the embeddings low .. high-1 of a picture that begins at `first`.

        Source: transformers 5.24, Glm4vModel.get_rope_index.
        """
        index = np.arange(low, high, dtype=np.int32)
        rows, columns = np.divmod(index, np.int32(self.columns))
        return np.stack([np.zeros_like(index), rows, columns], axis=1) + np.int32(first)


@dataclass(frozen=True, eq=False)
class EmbedSpan:
    """Embeddings of one medium at a place of the prompt.

    start        index of the first token it takes in `Prompt.tokens`
    embeddings   (num_tokens, C) float32, C the decoder's width
    grid         how those of a picture lie, for a decoder with M-RoPE; None: one after the other, like tokens
    """

    start: int
    embeddings: NDArray[np.float32]
    media_digest: Digest
    module_digest: Digest
    grid: Grid | None = None


@dataclass(frozen=True)
class Prompt:
    """tokens has one entry a place of the KV cache; those under an EmbedSpan are never fed.

    A picture's tokens share positions, so what stands behind one is at a smaller position than its index says.
    """

    tokens: tuple[TokenId, ...]
    embeds: tuple[EmbedSpan, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def fed_tokens(self) -> tuple[TokenId, ...]:
        """Those that are not under embeddings."""
        fed: list[TokenId] = []
        behind = 0
        for span in self.embeds:
            fed += self.tokens[behind : span.start]
            behind = span.start + len(span.embeddings)
        return (*fed, *self.tokens[behind:])
