"""What POST /v1/completions answers, whole or in chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoglm_phone.chat.delta import ContentDelta, Delta, Finished, TokenChance, TokenLog
from autoglm_phone.server.collected import Collected, usage_of
from autoglm_phone.server.schemas.chat_answer import usage_fields


@dataclass(frozen=True)
class CompletionForm:
    """As chat_answer.AnswerForm. echoes: the prompt of each choice, or nothing."""

    id: str
    created: int
    model: str
    echoes: Sequence[str]
    num_a_prompt: int

    def opening(self, num_choices: int) -> list[dict[str, Any]]:
        return [self._envelope([_choice(index, text)]) for index, text in enumerate(self.echoes) if text]

    def chunk(self, delta: Delta) -> dict[str, Any]:
        match delta:
            case ContentDelta():
                offset = len(self.echoes[delta.choice])
                return self._envelope([_choice(delta.choice, delta.text, _logprobs(delta.logs, offset))])
            case Finished():
                return self._envelope([_choice(delta.choice, "", reason=delta.reason)])
            case _:
                raise AssertionError("a completion is text and nothing else")

    def usage_chunk(self, finished: Sequence[Finished]) -> dict[str, Any]:
        return self._envelope([]) | {"usage": usage_fields(usage_of(finished, self.num_a_prompt))}

    def completion(self, choices: Sequence[Collected]) -> dict[str, Any]:
        finished = [choice.finished for choice in choices if choice.finished is not None]
        shown = [
            _choice(
                end.choice,
                self.echoes[end.choice] + "".join(choice.content),
                _logprobs(choice.logs, len(self.echoes[end.choice])),
                end.reason,
            )
            for choice, end in zip(choices, finished, strict=True)
        ]
        return self._envelope(shown) | {"usage": usage_fields(usage_of(finished, self.num_a_prompt))}

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def _choice(index: int, text: str, logprobs: dict[str, Any] | None = None, reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def _logprobs(logs: Sequence[TokenLog], offset: int) -> dict[str, Any] | None:
    """offset: characters that stand before the answer."""
    if not logs:
        return None
    return {
        "tokens": [_text(log.chosen) for log in logs],
        "token_logprobs": [log.chosen.logprob for log in logs],
        "top_logprobs": [{_text(other): other.logprob for other in log.top} for log in logs],
        "text_offset": [offset + log.offset for log in logs],
    }


def _text(token: TokenChance) -> str:
    """As OpenAI shows what is only part of a character."""
    try:
        return token.data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.data)
