"""GrammarFollower: one answer's place in its grammar, and what may come next."""

from collections.abc import Iterable
from concurrent.futures import Future

import numpy as np
from llguidance import LLMatcher
from numpy.typing import NDArray

from autoglm_phone.backends.grammar.matcher import GrammarFailed, check
from autoglm_phone.core.ids import TokenId

# The ceilings of eight tokens for each byte of a mask: +inf where the bit is set. Taking rows of it is ten times
# cheaper than spreading out the bits and assigning where they are not set.
_CEILINGS = np.where(
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), np.inf, -np.inf
).astype(np.float32)


class GrammarFollower:
    """Belongs to a request, not to a slot, so that preemption does not disturb it.

    The matcher knows one token for the end, beyond the vocabulary: where it is allowed, the request's stop tokens are.
    Methods raise GrammarFailed and wait for the compiler if they must.
    """

    def __init__(self, compiling: "Future[LLMatcher]", vocab_size: int, stop_tokens: Iterable[TokenId]) -> None:
        self._compiling = compiling
        self._vocab_size = vocab_size
        self._stop_tokens = tuple(token for token in stop_tokens if token < vocab_size)
        self.is_complete = False
        self._mask: NDArray[np.uint8] | None = None  # of the next position, if it was asked for already

    @property
    def is_ready(self) -> bool:
        """Compiled, or known not to compile: nothing will have to be waited for."""
        return self._compiling.done()

    def limit(self, logits: NDArray[np.float32]) -> bool:
        """Put every token that must not come next to -inf; False if none may, because the answer is complete.

        logits   (V,)
        """
        mask = self._next_mask()
        if not mask.any():
            return False
        ceilings = _CEILINGS.take(mask, axis=0).reshape(-1)[: self._vocab_size]
        np.minimum(logits, ceilings, out=logits)
        return True

    def take_forced(self, most: int) -> tuple[TokenId, ...]:
        """Go on behind the tokens that alone may come next, up to `most` of them: drawing would give the same.

        Of a forced text llguidance lets only the usual tokens, so masks of one bit are what a fixed text looks like.
        """
        forced: list[TokenId] = []
        try:
            while len(forced) < most and not self.is_complete and (token := self._only_choice()) is not None:
                self.take(token)
                forced.append(token)
        except GrammarFailed:
            pass  # the next draw meets it again, behind what could be taken
        return tuple(forced)

    def _only_choice(self) -> TokenId | None:
        """None if there are several, or none because the answer is complete."""
        mask = self._next_mask()
        [places] = mask.nonzero()
        if len(places) != 1:
            return None
        [bits] = np.unpackbits(mask[places], bitorder="little").nonzero()
        return TokenId(int(places[0]) * 8 + int(bits[0])) if len(bits) == 1 else None

    def take(self, token: TokenId) -> bool:
        """Go on behind a drawn token; True if the answer is complete with it, as is_complete says then."""
        self._mask = None
        if token not in self._stop_tokens:
            matcher = self._compiling.result()
            matcher.consume_token(token)
            check(matcher)
            self.is_complete = matcher.is_stopped()
        else:
            self.is_complete = True
        return self.is_complete

    def _next_mask(self) -> NDArray[np.uint8]:
        """One bit a token; the end's own bit has been handed to the stop tokens."""
        if self._mask is None:
            matcher = self._compiling.result()
            mask = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8).copy()
            check(matcher)
            may_end = _swap_bit(mask, self._vocab_size, is_set=False)
            for token in self._stop_tokens:
                _swap_bit(mask, token, is_set=may_end)
            self._mask = mask
        return self._mask

    def close(self) -> None:
        """Do not compile it if that has not begun."""
        self._compiling.cancel()


def _swap_bit(mask: NDArray[np.uint8], index: int, *, is_set: bool) -> bool:
    """Set or clear one bit; tells what it was."""
    byte, bit = index >> 3, np.uint8(1 << (index & 7))
    before = bool(mask[byte] & bit)
    mask[byte] = mask[byte] | bit if is_set else mask[byte] & ~bit
    return before
