"""ResponseEvents: what a chat streams becomes the events of a response, and at its end the response itself."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, assert_never

from autoglm_phone.chat.delta import (
    ContentDelta,
    Delta,
    Finished,
    ReasoningDelta,
    Started,
    StopReason,
    TokenLog,
    ToolCallDelta,
)
from autoglm_phone.server.errors import error_body
from autoglm_phone.server.responses.form import Outcome, ResponseForm
from autoglm_phone.server.responses.items import Item
from autoglm_phone.server.responses.open_items import ItemEvent, OpenCall, OpenItem, OpenMessage, OpenReasoning

Event = dict[str, Any]
Kind = TypeVar("Kind", OpenReasoning, OpenMessage)

_STATUS: Mapping[StopReason, Literal["completed", "incomplete"]] = {
    "stop": "completed",
    "tool_calls": "completed",
    "length": "incomplete",
}


class ResponseEvents:
    """`opening()`, then every delta or `fail()`. The last event carries the whole response. One item is open at a time.

    clock: seconds since 1970. finished: the response, once it has come to an end that is no failure.
    """

    def __init__(self, form: ResponseForm, clock: Callable[[], float]) -> None:
        self._form, self._clock = form, clock
        self._output: list[Item] = []
        self._open: OpenItem | None = None
        self._logs: tuple[TokenLog, ...] = ()  # of tokens whose text is still to come
        self._num_events = 0
        self.finished: dict[str, Any] | None = None

    def opening(self) -> list[Event]:
        response = self._form.response((), Outcome("in_progress"))
        return [self._event(name, response=response) for name in ("response.created", "response.in_progress")]

    def push(self, delta: Delta) -> list[Event]:
        match delta:
            case Started():
                return []
            case ReasoningDelta(text=text):
                events, reasoning = self._opened(OpenReasoning)
                return events + self._of_open(reasoning.push(text))
            case ContentDelta(text=text, logs=logs):
                return self._say(text, logs)
            case ToolCallDelta():
                return self._call(delta)
            case Finished():
                return self._finish(delta)
            case _:
                assert_never(delta)

    def fail(self, error: BaseException) -> list[Event]:
        """Two events: OpenAI's own client raises for the `error` of the first, others look for the second alone."""
        told = error_body(error)["error"]
        events = self._close("incomplete")
        events += [
            self._event(
                "error", code=told["code"] or told["type"], message=told["message"], param=told["param"], error=told
            ),
            self._event("response.failed", response=self._form.response(self._output, Outcome("failed", error=error))),
        ]
        return events

    def _say(self, text: str, logs: tuple[TokenLog, ...]) -> list[Event]:
        self._logs += logs
        if not text and not isinstance(self._open, OpenMessage):
            return []
        events, message = self._opened(OpenMessage)
        logs, self._logs = self._logs, ()
        return events + self._of_open(message.push(text, logs))

    def _call(self, delta: ToolCallDelta) -> list[Event]:
        events: list[Event] = []
        call = self._open
        if not isinstance(call, OpenCall) or call.index != delta.index:
            assert delta.id is not None
            assert delta.name is not None
            call = OpenCall(delta.index, delta.id, delta.name)
            events = self._replace_open(call)
        return events + (self._of_open(call.push(delta.arguments)) if delta.arguments else [])

    def _finish(self, finished: Finished) -> list[Event]:
        events: list[Event] = []
        status = _STATUS[finished.reason]
        has_spoken = any(item["type"] != "reasoning" for item in self._output)
        if status == "completed" and not has_spoken and not isinstance(self._open, OpenMessage | OpenCall):
            events, _ = self._opened(OpenMessage)  # an answer without a word is an answer
        events += self._close(status)
        ended_at = int(self._clock()) if status == "completed" else None
        self.finished = self._form.response(self._output, Outcome(status, finished.usage, ended_at))
        return [*events, self._event(f"response.{status}", response=self.finished)]

    def _opened(self, kind: type[Kind]) -> tuple[list[Event], Kind]:
        """The open item if it is of this kind, else a new one in its place."""
        if isinstance(self._open, kind):
            return [], self._open
        item = kind()
        return self._replace_open(item), item

    def _replace_open(self, item: OpenItem) -> list[Event]:
        events = self._close("completed")
        self._open = item
        added = self._event("response.output_item.added", item=item.item("in_progress"), output_index=self._index)
        return [*events, added, *self._of_open(item.opening())]

    def _close(self, status: Literal["completed", "incomplete"]) -> list[Event]:
        if self._open is None:
            return []
        item = self._open.item(status)
        events = self._of_open(self._open.closing())
        events.append(self._event("response.output_item.done", item=item, output_index=self._index))
        self._output.append(item)
        self._open = None
        return events

    @property
    def _index(self) -> int:
        """Of the open item: those before it are done."""
        return len(self._output)

    def _of_open(self, events: list[ItemEvent]) -> list[Event]:
        assert self._open is not None
        item_id, index = self._open.id, self._index
        return [self._event(name, item_id=item_id, output_index=index, **fields) for name, fields in events]

    def _event(self, type: str, /, **fields: Any) -> Event:
        event = {"type": type, **fields, "sequence_number": self._num_events}
        self._num_events += 1
        return event
