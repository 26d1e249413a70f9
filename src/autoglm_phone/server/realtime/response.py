"""One response: the conversation is answered, and every delta is told as OpenAI's events."""

import asyncio
import base64
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

from autoglm_phone.chat.delta import ContentDelta, Delta, Finished, ReasoningDelta, Started, ToolCallDelta, Usage
from autoglm_phone.core.errors import AutoGLMError
from autoglm_phone.core.request import Client
from autoglm_phone.core.voice import SpeakingOptions, VoiceDoor
from autoglm_phone.server.answer import Answer
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import to_chat_request
from autoglm_phone.server.errors import answer_of
from autoglm_phone.server.ready import check_ready
from autoglm_phone.server.realtime.conversation import Conversation, Entry, Item, new_item_id
from autoglm_phone.server.realtime.session_config import SessionConfig
from autoglm_phone.server.realtime.speaking import Speaking
from autoglm_phone.server.realtime.wire import Say, error_fields
from autoglm_phone.server.responses.asked import read_request
from autoglm_phone.server.responses.store import ResponseStore
from autoglm_phone.server.services import Services

_log = logging.getLogger(__name__)

Status = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What one `response.create` asks for. input None: the conversation. joins: its output becomes part of that."""

    session: SessionConfig
    metadata: Mapping[str, str] | None = None
    input: list[Item] | None = None
    joins: bool = True


@dataclass(eq=False)
class _Open:
    """The output item that is growing."""

    entry: Entry
    index: int
    text: str = ""

    @property
    def item(self) -> Item:
        return self.entry.item


@dataclass(eq=False)
class Response:
    """`run` ends with response.done, whatever happens; `end` ends it early."""

    services: Services
    config: ServerConfig
    client: Client
    conversation: Conversation
    wanted: Wanted
    say: Say
    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(12)}")
    reason: Literal["client_cancelled", "turn_detected"] = "client_cancelled"
    is_ending: bool = False
    _output: list[Item] = field(default_factory=list)
    _open: _Open | None = None
    _speaking: Speaking | None = None
    _usage: Usage | None = None

    async def run(self) -> None:
        await self.say("response.created", response=self._wire("in_progress", None))
        status: Status = "failed"
        details: dict[str, Any] | None = None
        failure: Exception | None = None
        try:
            status, details = await self._answer()
        except asyncio.CancelledError:
            status, details = "cancelled", {"type": "cancelled", "reason": self.reason}
        except Exception as error:  # the edge of a response: told in its events
            failure, details = error, {"type": "failed", "error": _error(error)}
        self.is_ending = True
        if self._speaking is not None:
            await self._speaking.aclose()
        if failure is not None:
            trace = None if isinstance(failure, AutoGLMError) else failure
            _log.error("a realtime response ended with %s: %s", type(failure).__name__, failure, exc_info=trace)
            await self.say("error", error=error_fields(failure))
        await self._close_item("completed" if status == "completed" else "incomplete")
        await self.say("response.done", response=self._wire(status, details))

    async def end(self, task: "asyncio.Task[None]", reason: Literal["client_cancelled", "turn_detected"]) -> None:
        """Until it has said that it is done. task: that of `run`."""
        self.reason = reason
        if not self.is_ending:
            task.cancel()
        await asyncio.wait({task})

    @property
    def _is_spoken(self) -> bool:
        return self.wanted.session.output_modalities == ["audio"]

    async def _answer(self) -> tuple[Status, dict[str, Any] | None]:
        if self.wanted.input is None:
            await self.conversation.wait_until_heard()
        check_ready(self.services)
        asked = read_request(self._body(), ResponseStore(0, 0), self.config)
        chat = await to_chat_request(asked.wire, self.config, self.services.fetch, self.client)
        answer = Answer(self.services.chat.stream(chat))
        try:
            while not isinstance(delta := await answer.take(), Finished):
                await self._take(delta)
        finally:
            await answer.aclose()
        self._usage = delta.usage
        if self._speaking is not None:
            await self._speaking.finish()
        if delta.reason == "length":
            return "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}
        return "completed", None

    def _body(self) -> dict[str, Any]:
        session = self.wanted.session
        limit = session.max_output_tokens
        body: dict[str, Any] = {
            "input": self.conversation.as_input() if self.wanted.input is None else self.wanted.input,
            "instructions": session.instructions or None,
            "tools": session.tools or None,
            "tool_choice": session.tool_choice if session.tools else None,
            "parallel_tool_calls": session.parallel_tool_calls if session.tools else None,
            "max_output_tokens": None if limit == "inf" else limit,
            "reasoning": session.reasoning.model_dump() if session.reasoning is not None else None,
            "truncation": session.truncation,
            "store": False,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def _take(self, delta: Delta) -> None:
        match delta:
            case ContentDelta(text) if text:
                await self._write(text)
            case ToolCallDelta():
                await self._call(delta)
            case Started() | ReasoningDelta() | ContentDelta():
                pass  # thoughts are not told here
            case Finished():
                raise AssertionError("told apart before")
            case _:
                assert_never(delta)

    async def _write(self, text: str) -> None:
        if self._open is None or self._open.item["type"] != "message":
            if not text.strip() and self._open is None:
                return  # no message of nothing but space before a call
            await self._open_message()
        assert self._open is not None
        self._open.text += text
        if self._speaking is not None:
            self._speaking.push(text)
            await self._tell_part("response.output_audio_transcript.delta", delta=text)
        else:
            await self._tell_part("response.output_text.delta", delta=text)

    async def _open_message(self) -> None:
        part = {"type": "output_audio", "transcript": ""} if self._is_spoken else {"type": "output_text", "text": ""}
        await self._open_item({"type": "message", "role": "assistant", "content": [part]})
        await self._tell_part("response.content_part.added", part=self._part())
        voice = self.services.voice
        if self._is_spoken and voice is not None and self._speaking is None:
            self._speaking = self._start_speaking(voice)

    def _start_speaking(self, voice: VoiceDoor) -> Speaking:
        output = self.wanted.session.audio.output
        assert self._open is not None
        place = self._place(self._open)

        async def send(sound: bytes) -> None:
            await self.say("response.output_audio.delta", **place, delta=base64.b64encode(sound).decode())

        speaking = Speaking(voice, SpeakingOptions(output.voice, output.speed), send)
        self._open.entry.spoken = speaking.spoken
        return speaking

    async def _call(self, delta: ToolCallDelta) -> None:
        if delta.id is not None:
            call = {"type": "function_call", "call_id": delta.id, "name": delta.name, "arguments": ""}
            await self._open_item(call)
        assert self._open is not None
        self._open.text += delta.arguments
        place = {"item_id": self._open.entry.id, "output_index": self._open.index, "response_id": self.id}
        await self.say(
            "response.function_call_arguments.delta", **place, call_id=self._open.item["call_id"], delta=delta.arguments
        )

    async def _open_item(self, fields: Item) -> None:
        await self._close_item("completed")
        item: Item = {"id": new_item_id(), "object": "realtime.item", "status": "in_progress", **fields}
        entry = Entry(item)
        entry.is_heard.set()
        self._open = _Open(entry, len(self._output))
        self._output.append(item)
        if self.wanted.joins:
            previous = self.conversation.add(entry)
            await self.say("conversation.item.added", item=item, previous_item_id=previous)
        await self.say("response.output_item.added", response_id=self.id, output_index=self._open.index, item=item)

    async def _close_item(self, status: Literal["completed", "incomplete"]) -> None:
        if (opened := self._open) is None:
            return
        item = opened.item
        if item["type"] == "message":
            await self._close_part(opened)
        else:
            item["arguments"] = opened.text
            place = {"item_id": opened.entry.id, "output_index": opened.index, "response_id": self.id}
            called = {"call_id": item["call_id"], "name": item["name"], "arguments": opened.text}
            await self.say("response.function_call_arguments.done", **place, **called)
        item["status"] = status
        self._open = None
        if self.wanted.joins:
            await self.say("conversation.item.done", item=item, previous_item_id=None)
        await self.say("response.output_item.done", response_id=self.id, output_index=opened.index, item=item)

    async def _close_part(self, opened: _Open) -> None:
        content = opened.item["content"][0]
        if content["type"] == "output_audio":
            content["transcript"] = opened.text
            await self._tell_part("response.output_audio.done")
            await self._tell_part("response.output_audio_transcript.done", transcript=opened.text)
        else:
            content["text"] = opened.text
            await self._tell_part("response.output_text.done", text=opened.text)
        await self._tell_part("response.content_part.done", part=self._part())

    def _part(self) -> dict[str, Any]:
        assert self._open is not None
        if self._is_spoken:
            return {"type": "audio", "transcript": self._open.text}
        return {"type": "text", "text": self._open.text}

    async def _tell_part(self, kind: str, **fields: Any) -> None:
        assert self._open is not None
        await self.say(kind, **self._place(self._open), **fields)

    def _place(self, opened: _Open) -> dict[str, Any]:
        where = {"item_id": opened.entry.id, "output_index": opened.index, "content_index": 0}
        return {"response_id": self.id, **where}

    def _wire(self, status: Status, details: dict[str, Any] | None) -> dict[str, Any]:
        session = self.wanted.session
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": self._output,
            "conversation_id": None,
            "output_modalities": session.output_modalities,
            "max_output_tokens": session.max_output_tokens,
            "audio": {"output": session.audio.output.model_dump(include={"format", "voice"})},
            "metadata": self.wanted.metadata,
            "usage": _usage(self._usage) if self._usage is not None else None,
        }


def _usage(usage: Usage) -> dict[str, Any]:
    text_tokens = usage.prompt_tokens - usage.image_tokens - usage.audio_tokens
    return {
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "input_token_details": {
            "text_tokens": text_tokens,
            "image_tokens": usage.image_tokens,
            "audio_tokens": usage.audio_tokens,
            "cached_tokens": usage.cached_tokens,
        },
        "output_token_details": {"text_tokens": usage.completion_tokens, "audio_tokens": 0},
    }


def _error(error: Exception) -> dict[str, Any]:
    answer = answer_of(error)
    return {"type": answer.type, "code": answer.code}
