"""What POST /v1/chat/completions answers, whole or in chunks: OpenAI's form, the thought under both its names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoglm_phone.chat.delta import (
    ContentDelta,
    Delta,
    Finished,
    ReasoningDelta,
    StopReason,
    TokenChance,
    TokenLog,
    ToolCallDelta,
    Usage,
)
from autoglm_phone.core.conversation import ToolCall
from autoglm_phone.server.collected import Collected, usage_of


@dataclass(frozen=True)
class AnswerForm:
    """id and created are the same in every chunk of an answer. created: seconds since 1970."""

    id: str
    created: int
    model: str

    def opening(self, num_choices: int) -> list[dict[str, Any]]:
        return [self._chunk(choice, {"role": "assistant", "content": ""}) for choice in range(num_choices)]

    def chunk(self, delta: Delta) -> dict[str, Any]:
        match delta:
            case ContentDelta():
                return self._chunk(delta.choice, {"content": delta.text}, logs=delta.logs)
            case ReasoningDelta():
                return self._chunk(delta.choice, _reasoning(delta.text))
            case ToolCallDelta():
                return self._chunk(delta.choice, {"tool_calls": [_call_piece(delta)]})
            case Finished():
                return self._chunk(delta.choice, {}, delta.reason)
            case _:
                raise AssertionError("a chat starts once")

    def usage_chunk(self, finished: Sequence[Finished]) -> dict[str, Any]:
        return self._envelope("chat.completion.chunk", []) | {"usage": usage_fields(usage_of(finished))}

    def completion(self, choices: Sequence[Collected]) -> dict[str, Any]:
        finished = [choice.finished for choice in choices if choice.finished is not None]
        shown = [
            {
                "index": end.choice,
                "message": _message(choice),
                "logprobs": _logprobs(choice.logs) if choice.logs else None,
                "finish_reason": end.reason,
            }
            for choice, end in zip(choices, finished, strict=True)
        ]
        return self._envelope("chat.completion", shown) | {"usage": usage_fields(usage_of(finished))}

    def _chunk(
        self,
        choice: int,
        delta: dict[str, Any],
        finish_reason: StopReason | None = None,
        logs: Sequence[TokenLog] = (),
    ) -> dict[str, Any]:
        shown = {
            "index": choice,
            "delta": delta,
            "logprobs": _logprobs(logs) if logs else None,
            "finish_reason": finish_reason,
        }
        return self._envelope("chat.completion.chunk", [shown])

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def usage_fields(usage: Usage) -> dict[str, Any]:
    """`autoglm` is ours: what the window policy left out."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "image_tokens": usage.image_tokens,
            "audio_tokens": usage.audio_tokens,
            "text_tokens": usage.prompt_tokens - usage.image_tokens - usage.audio_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "autoglm": {"dropped_messages": usage.dropped_messages},
    }


def _message(choice: Collected) -> dict[str, Any]:
    content = "".join(choice.content)
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if choice.reasoning:
        message |= _reasoning("".join(choice.reasoning))
    if choice.calls:
        message |= {"content": content or None, "tool_calls": [_call(call) for call in choice.calls]}
    return message


def _reasoning(text: str) -> dict[str, Any]:
    return {"reasoning_content": text, "reasoning": text}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _call_piece(piece: ToolCallDelta) -> dict[str, Any]:
    if piece.id is None:
        return {"index": piece.index, "function": {"arguments": piece.arguments}}
    function = {"name": piece.name, "arguments": piece.arguments}
    return {"index": piece.index, "id": piece.id, "type": "function", "function": function}


def _logprobs(logs: Sequence[TokenLog]) -> dict[str, Any]:
    content = [_chance(log.chosen) | {"top_logprobs": [_chance(other) for other in log.top]} for log in logs]
    return {"content": content, "refusal": None}


def _chance(token: TokenChance) -> dict[str, Any]:
    """A token that is part of a character shows as U+FFFD; its bytes are exact."""
    return {"token": token.data.decode("utf-8", "replace"), "logprob": token.logprob, "bytes": list(token.data)}
