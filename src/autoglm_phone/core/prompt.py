"""What the decoder is fed: tokens, and embeddings of media that stand between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import Digest, TokenId


@dataclass(frozen=True, eq=False)
class EmbedSpan:
    """Embeddings of one medium at a place of the prompt.

    start        index of the first position it takes in `Prompt.tokens`
    embeddings   (num_tokens, C) float32, C the decoder's width
    """

    start: int
    embeddings: NDArray[np.float32]
    media_digest: Digest
    module_digest: Digest


@dataclass(frozen=True)
class Prompt:
    """tokens has one entry a position; those under an EmbedSpan are never read."""

    tokens: tuple[TokenId, ...]
    embeds: tuple[EmbedSpan, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens)
