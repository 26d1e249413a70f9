"""Follows a grammar byte by byte, at random among what it allows: what a model could write at its worst."""

import random

from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from autoglm_phone.text.grammar import parser_limits
from autoglm_phone.text.grammar.deep_stack import on_deep_stack

MAX_BYTES = 4000
_TOKENIZER = LLTokenizer("byte")  # token n < 256 is byte n
_CLOSING = '"}]>'


def matcher(grammar: str) -> LLMatcher:
    limits = parser_limits()
    found = on_deep_stack(lambda: LLMatcher(_TOKENIZER, grammar, log_level=0, limits=limits))
    assert not found.is_error(), found.get_error()
    return found


def accepts(grammar: str, text: str) -> bool:
    """Is it a whole answer?"""
    walker = matcher(grammar)
    data = list(text.encode())
    return walker.try_consume_tokens(data) == len(data) and walker.is_accepting()


def begins(grammar: str, text: str) -> bool:
    """Could it be the beginning of an answer?"""
    data = list(text.encode())
    return matcher(grammar).try_consume_tokens(data) == len(data)


def accepts_tokens(grammar: str, text: str, tokens: tuple[str, ...]) -> bool:
    """Is it a whole answer for a vocabulary of all bytes and these tokens, used wherever they fit?"""
    limits = parser_limits()
    vocabulary = LLTokenizer(TokenizerWrapper(_Vocabulary(tokens)), n_vocab=257 + len(tokens))
    walker = on_deep_stack(lambda: LLMatcher(vocabulary, grammar, log_level=0, limits=limits))
    ids = _Vocabulary(tokens)(text.encode())
    return walker.try_consume_tokens(ids) == len(ids) and walker.is_accepting()


class _Vocabulary:
    """What llguidance asks of a tokenizer."""

    eos_token_id = 256
    bos_token_id = None

    def __init__(self, tokens: tuple[str, ...]) -> None:
        self._longer = {token.encode(): 257 + index for index, token in enumerate(tokens)}
        self.tokens = [*(bytes([byte]) for byte in range(256)), b"\xff<end>", *self._longer]
        self.special_token_ids = [256]

    def __call__(self, text: bytes) -> list[int]:
        ids: list[int] = []
        while text:
            token = next((token for token in self._longer if text.startswith(token)), text[:1])
            ids.append(self._longer.get(token, token[0]))
            text = text[len(token) :]
        return ids


def random_answer(grammar: str, seed: int, *, patience: int = 40) -> str:
    """A whole answer. After `patience` bytes it ends what can be ended."""
    walker, chance = matcher(grammar), random.Random(seed)
    written = bytearray()
    while len(written) < MAX_BYTES:
        is_tired = len(written) > patience
        if walker.is_stopped() or (walker.is_accepting() and (is_tired or chance.random() < 0.3)):
            return written.decode()
        allowed = _allowed(walker)
        if not allowed and walker.is_accepting():
            return written.decode()
        assert allowed, f"nothing may come behind {bytes(written)!r}"
        closing = [byte for byte in _CLOSING.encode() if byte in allowed]
        byte = closing[0] if closing and chance.random() < (0.7 if is_tired else 0.2) else chance.choice(allowed)
        assert walker.consume_token(byte), walker.get_error()
        written.append(byte)
    raise AssertionError(f"no end after {MAX_BYTES} bytes: {bytes(written[:200])!r}")


def _allowed(walker: LLMatcher) -> list[int]:
    mask = walker.compute_bitmask()
    assert not walker.is_error(), walker.get_error()
    return [byte for byte in range(256) if mask[byte >> 3] & (1 << (byte & 7))]
