"""The window policy: which of the oldest turns are left out so that a prompt fits. Pure.

Stateless but stable: the dialogue is walked turn by turn as it grew, and the cut moves only when the window would
have been exceeded, then down to 75 % of it. So the next request of the same dialogue keeps the cut, and with it
the cached prefix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autoglm_phone.chat.chat_request import Truncation
from autoglm_phone.core.errors import ContextLengthExceeded

KEPT_SHARE = 0.75


@dataclass(frozen=True)
class TurnSize:
    """tokens that a run of messages takes; num_messages is how many they are."""

    tokens: int
    num_messages: int


def num_dropped_turns(fixed: int, turns: Sequence[TurnSize], limit: int, truncation: Truncation) -> int:
    """How many of the oldest turns to leave out; the last one always stays.

    fixed: tokens that stay in any case (system prompt, the opening of the answer). limit: tokens for all of it.
    Raises ContextLengthExceeded if it does not fit, in mode "auto" if the newest turn alone does not.
    """
    total = fixed + sum(turn.tokens for turn in turns)
    if truncation == "error" and total > limit:
        raise too_long(f"the prompt has {total} tokens", limit, truncation)
    if turns and fixed + turns[-1].tokens > limit:
        newest = fixed + turns[-1].tokens
        raise too_long(f"the newest turn and the system prompt have {newest} tokens", limit, truncation)
    first, size = 0, fixed
    for index, turn in enumerate(turns):
        size += turn.tokens
        if size > limit:
            while first < index and size > limit * KEPT_SHARE:
                size -= turns[first].tokens
                first += 1
    return first


def too_long(what: str, limit: int, truncation: Truncation, *, param: str = "messages") -> ContextLengthExceeded:
    """The limit is what the window leaves beside some room for the answer."""
    may_be_cut = truncation == "error" and param == "messages"
    way_out = 'shorten it, send "truncation": "auto",' if may_be_cut else "shorten it"
    return ContextLengthExceeded(
        f"context_length_exceeded: {what}, the limit is {limit} (the window less room for an answer); {way_out} "
        f"or start the server with a larger --max-model-len",
        param=param,
    )
