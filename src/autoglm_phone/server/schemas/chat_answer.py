"""What POST /v1/chat/completions answers, whole or in chunks: OpenAI's form, the thought under both its names."""

from dataclasses import dataclass
from typing import Any

from autoglm_phone.chat.delta import Finished, Usage


@dataclass(frozen=True)
class AnswerForm:
    """id and created are the same in every chunk of an answer. created: seconds since 1970."""

    id: str
    created: int
    model: str

    def role_chunk(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": ""})

    def content_chunk(self, text: str) -> dict[str, Any]:
        return self._chunk({"content": text})

    def reasoning_chunk(self, text: str) -> dict[str, Any]:
        return self._chunk(_reasoning(text))

    def finish_chunk(self, finished: Finished) -> dict[str, Any]:
        return self._chunk({}, finished.reason)

    def usage_chunk(self, finished: Finished) -> dict[str, Any]:
        return self._envelope("chat.completion.chunk", []) | {"usage": usage_fields(finished.usage)}

    def completion(self, content: str, reasoning: str, finished: Finished) -> dict[str, Any]:
        message = {"role": "assistant", "content": content, "refusal": None}
        if reasoning:
            message |= _reasoning(reasoning)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finished.reason}
        return self._envelope("chat.completion", [choice]) | {"usage": usage_fields(finished.usage)}

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._envelope("chat.completion.chunk", [choice])

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


def _reasoning(text: str) -> dict[str, Any]:
    return {"reasoning_content": text, "reasoning": text}
