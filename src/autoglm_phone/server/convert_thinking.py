"""The many names under which clients ask for a thought, its length, and whether to see it."""

from collections.abc import Mapping
from typing import TypeVar

from autoglm_phone.chat.chat_request import Thinking
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest

T = TypeVar("T")

# Which share of the answer's tokens a thought may have, by `reasoning_effort`.
EFFORT_SHARES: Mapping[str, float] = {"minimal": 1 / 8, "low": 1 / 4, "medium": 1 / 2}
MOST = 3 / 4


def to_thinking(wire: ChatCompletionRequest) -> Thinking:
    """Raises InvalidRequest where two names contradict each other."""
    nested = wire.chat_template_kwargs.enable_thinking if wire.chat_template_kwargs is not None else None
    effort = wire.reasoning_effort
    is_on = agreed(
        {
            "enable_thinking": wire.enable_thinking,
            "chat_template_kwargs.enable_thinking": nested,
            "thinking.type": wire.thinking.type == "enabled" if wire.thinking is not None else None,
            "reasoning_effort": effort != "none" if effort is not None else None,
        }
    )
    budget = agreed(
        {
            "thinking_token_budget": wire.thinking_token_budget,
            "thinking_budget_tokens": None if wire.thinking_budget_tokens == -1 else wire.thinking_budget_tokens,
            "thinking.budget_tokens": wire.thinking.budget_tokens if wire.thinking is not None else None,
        }
    )
    is_sent = agreed({"return_reasoning": wire.return_reasoning, "include_reasoning": wire.include_reasoning})
    return Thinking(
        is_on=False if budget == 0 else is_on,
        budget=budget,
        share=Thinking.share if effort in (None, "none") else EFFORT_SHARES.get(effort, MOST),
        is_sent=is_sent is not False,
    )


def agreed(given: Mapping[str, T | None]) -> T | None:
    """One value under several names."""
    values = {name: value for name, value in given.items() if value is not None}
    if len(set(values.values())) > 1:
        names = " and ".join(f"`{name}`" for name in values)
        raise InvalidRequest(f"{names} contradict each other; send one of them", param=next(iter(values)))
    return next(iter(values.values()), None)
