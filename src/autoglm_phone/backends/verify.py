"""Drawing along guesses, so that what comes is what would have come without them. For all backends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoglm_phone.backends.grammar.matcher import GrammarFailed
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import TokenLogprobs


@dataclass(frozen=True)
class Drawn:
    """What was drawn for one request in a step.

    tokens       each with those behind it that its grammar forces; none if the answer was complete before
    logprobs     of the first token, if they are wanted
    is_last      the answer is complete now
    num_forced   how many of the tokens were not drawn
    """

    tokens: tuple[TokenId, ...]
    logprobs: TokenLogprobs | None = None
    is_last: bool = False
    num_forced: int = 0


def draw_along(drafts: Sequence[TokenId], most: int, draw: Callable[[int, int], Drawn]) -> Drawn:
    """Draw at one position after the other for as long as the guesses come true: at most `most` tokens.

    draw   gives tokens for the position behind that many guesses, and at most that many tokens; it may raise
           GrammarFailed, which is passed on only if nothing came before it
    """
    first = draw(0, most)
    tokens, is_last, num_forced = list(first.tokens), first.is_last, first.num_forced
    while not is_last and len(tokens) < most and 0 < len(tokens) <= len(drafts):
        if tokens != list(drafts[: len(tokens)]):
            break
        try:
            drawn = draw(len(tokens), most - len(tokens))
        except GrammarFailed:
            break  # the next step meets it again
        tokens += drawn.tokens
        is_last, num_forced = drawn.is_last, num_forced + drawn.num_forced
    return Drawn(tuple(tokens), first.logprobs, is_last, num_forced)
