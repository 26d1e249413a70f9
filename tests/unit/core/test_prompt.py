"""What of a prompt is fed as tokens."""

import numpy as np

from autoglm_phone.core.ids import Digest, TokenId
from autoglm_phone.core.prompt import EmbedSpan, Prompt


def test_tokens_under_embeddings_are_not_fed() -> None:
    """A repetition penalty that counted the token shown for each of a sound's embeddings would punish it."""
    tokens = tuple(map(TokenId, (1, 2, 0, 0, 3, 0, 4)))
    spans = tuple(
        EmbedSpan(start, np.zeros((length, 4), np.float32), Digest("medium"), Digest("module"))
        for start, length in ((2, 2), (5, 1))
    )
    assert Prompt(tokens, spans).fed_tokens == (1, 2, 3, 4)
    assert Prompt(tokens).fed_tokens == tokens
