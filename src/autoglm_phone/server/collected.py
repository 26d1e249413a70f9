"""An answer that is not streamed: its deltas put together again, choice by choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from autoglm_phone.chat.delta import (
    ContentDelta,
    Delta,
    Finished,
    ReasoningDelta,
    Started,
    TokenLog,
    ToolCallDelta,
    Usage,
)
from autoglm_phone.core.conversation import ToolCall
from autoglm_phone.server.answer import Answer


@dataclass
class Collected:
    """One choice so far; finished is its end, once it has come."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    logs: list[TokenLog] = field(default_factory=list)
    finished: Finished | None = None

    def take(self, delta: Delta) -> None:
        match delta:
            case ContentDelta():
                self.content.append(delta.text)
                self.logs += delta.logs
            case ReasoningDelta():
                self.reasoning.append(delta.text)
            case ToolCallDelta(id=str(call_id), name=str(name)):
                self.calls.append(ToolCall(call_id, name, delta.arguments))
            case ToolCallDelta():
                call = self.calls[delta.index]
                self.calls[delta.index] = replace(call, arguments=call.arguments + delta.arguments)
            case Finished():
                self.finished = delta
            case Started():
                raise AssertionError("a chat starts once")
            case _:
                assert_never(delta)


async def collect(answer: Answer, num_choices: int) -> list[Collected]:
    """All choices to their ends. Raises what ended the answer early."""
    choices = [Collected() for _ in range(num_choices)]
    while any(choice.finished is None for choice in choices):
        delta = await answer.take()
        assert not isinstance(delta, Started)
        choices[delta.choice].take(delta)
    return choices


def usage_of(finished: Sequence[Finished], num_a_prompt: int = 0) -> Usage:
    """What all choices of a request took together. So many in a row share a prompt, which counts once; 0: all do."""
    prompts = [each.usage for each in finished if each.choice % (num_a_prompt or len(finished)) == 0]
    return replace(
        prompts[0],
        prompt_tokens=sum(usage.prompt_tokens for usage in prompts),
        cached_tokens=sum(usage.cached_tokens for usage in prompts),
        completion_tokens=sum(each.usage.completion_tokens for each in finished),
        reasoning_tokens=sum(each.usage.reasoning_tokens for each in finished),
    )
