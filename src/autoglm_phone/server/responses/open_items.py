"""Output items while they are being written: each gives the events that are its own, and the item as it stands.

An event here is its name and its fields; `events.py` adds which item and which number.
"""

from typing import Any, Literal, Protocol

from autoglm_phone.chat.delta import TokenChance, TokenLog
from autoglm_phone.server.responses.items import CALL, MESSAGE, REASONING, Item, function_call, new_id
from autoglm_phone.server.responses.items import output_message as message_item
from autoglm_phone.server.responses.items import output_text as text_part

Status = Literal["in_progress", "completed", "incomplete"]
ItemEvent = tuple[str, dict[str, Any]]

# -inf is no number in JSON; OpenAI's own stand-in for what is out of the question.
_LOWEST = -9999.0


class OpenItem(Protocol):
    id: str

    def item(self, status: Status) -> Item:
        """in_progress: as it is told when it begins, still empty."""
        ...

    def opening(self) -> list[ItemEvent]: ...

    def closing(self) -> list[ItemEvent]: ...


class OpenReasoning:
    """A thought. What we give as its summary is the thought itself, because that is what clients show; the item has
    it once more as `content`, where clients of open models look."""

    def __init__(self) -> None:
        self.id = new_id(REASONING)
        self._text: list[str] = []

    def item(self, status: Status) -> Item:
        # A status here would be kept by clients that put the thought together from its events.
        item: dict[str, Any] = {"id": self.id, "type": "reasoning", "summary": []}
        if status == "in_progress":
            return item
        content = [{"type": "reasoning_text", "text": self._joined()}]
        return {**item, "summary": [self._part(self._joined())], "content": content, "status": status}

    def opening(self) -> list[ItemEvent]:
        return [("response.reasoning_summary_part.added", {"summary_index": 0, "part": self._part("")})]

    def push(self, text: str) -> list[ItemEvent]:
        self._text.append(text)
        return [("response.reasoning_summary_text.delta", {"summary_index": 0, "delta": text})]

    def closing(self) -> list[ItemEvent]:
        text = self._joined()
        return [
            ("response.reasoning_summary_text.done", {"summary_index": 0, "text": text}),
            ("response.reasoning_summary_part.done", {"summary_index": 0, "part": self._part(text)}),
        ]

    def _joined(self) -> str:
        return "".join(self._text)

    def _part(self, text: str) -> dict[str, Any]:
        return {"type": "summary_text", "text": text}


class OpenMessage:
    """What the model says, as one part of text."""

    def __init__(self) -> None:
        self.id = new_id(MESSAGE)
        self._text: list[str] = []
        self._logprobs: list[dict[str, Any]] = []

    def item(self, status: Status) -> Item:
        return message_item(self.id, [] if status == "in_progress" else [self._part()], status)

    def opening(self) -> list[ItemEvent]:
        return [("response.content_part.added", {"content_index": 0, "part": text_part("", [])})]

    def push(self, text: str, logs: tuple[TokenLog, ...]) -> list[ItemEvent]:
        logprobs = [_log_fields(log) for log in logs]
        self._text.append(text)
        self._logprobs += logprobs
        return [("response.output_text.delta", {"content_index": 0, "delta": text, "logprobs": logprobs})]

    def closing(self) -> list[ItemEvent]:
        part = self._part()
        done = {"content_index": 0, "text": part["text"], "logprobs": part["logprobs"]}
        return [
            ("response.output_text.done", done),
            ("response.content_part.done", {"content_index": 0, "part": part}),
        ]

    def _part(self) -> dict[str, Any]:
        return text_part("".join(self._text), list(self._logprobs))


class OpenCall:
    def __init__(self, index: int, call_id: str, name: str) -> None:
        self.id = new_id(CALL)
        self.index = index
        self._call_id, self._name = call_id, name
        self._arguments: list[str] = []

    def item(self, status: Status) -> Item:
        arguments = "" if status == "in_progress" else "".join(self._arguments)
        return function_call(self.id, self._call_id, self._name, arguments, status)

    def opening(self) -> list[ItemEvent]:
        return []

    def push(self, arguments: str) -> list[ItemEvent]:
        self._arguments.append(arguments)
        return [("response.function_call_arguments.delta", {"delta": arguments})]

    def closing(self) -> list[ItemEvent]:
        done = {"name": self._name, "arguments": "".join(self._arguments)}
        return [("response.function_call_arguments.done", done)]


def _log_fields(log: TokenLog) -> dict[str, Any]:
    return {**_chance_fields(log.chosen), "top_logprobs": [_chance_fields(chance) for chance in log.top]}


def _chance_fields(chance: TokenChance) -> dict[str, Any]:
    return {
        "token": chance.data.decode("utf-8", "replace"),
        "logprob": max(chance.logprob, _LOWEST),
        "bytes": list(chance.data),
    }
