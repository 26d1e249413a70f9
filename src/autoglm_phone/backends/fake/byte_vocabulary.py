"""The fake model's vocabulary: token n < 256 is byte n, the others are control tokens."""

from collections.abc import Sequence

import numpy as np
from llguidance import LLTokenizer, TokenizerWrapper
from numpy.typing import NDArray

from autoglm_phone.core.ids import TokenId

NUM_BYTES = 256
VOCAB_SIZE = 1024  # more than any test names
_CLOSERS = tuple(b'"}]')
_BLANKS = tuple(b" \t\n\r")


class _Bytes:
    """What TokenizerWrapper wants to know."""

    eos_token_id = VOCAB_SIZE
    bos_token_id = None
    tokens = (*(bytes([byte]) for byte in range(NUM_BYTES)), *[b""] * (VOCAB_SIZE - NUM_BYTES + 1))
    special_token_ids: tuple[int, ...] = ()

    def __call__(self, text: bytes) -> list[int]:
        return list(text)


def byte_tokenizer() -> LLTokenizer:
    return LLTokenizer(TokenizerWrapper(_Bytes()))


def nearest_allowed(wanted: TokenId, allowed: NDArray[np.intp], stop_tokens: Sequence[TokenId]) -> TokenId:
    """The wanted token if the grammar lets it, else what ends the answer soonest: its end, a closing byte, no blank."""
    choices = sorted((token in _BLANKS, token) for token in allowed.tolist())
    preferred = (wanted, *stop_tokens, *_CLOSERS, *(token for _, token in choices))
    return TokenId(next(token for token in preferred if token in allowed))
