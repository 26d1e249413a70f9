"""One realtime session: what the client sends, what the ear hears and what is answered, told as events."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal, assert_never

from autoglm_phone.chat.live.drafts import DraftWish, Samples
from autoglm_phone.chat.live.live_ear import (
    EarEvent,
    LiveEar,
    Misheard,
    Overheard,
    SpeechBegan,
    SpeechOver,
    Understood,
)
from autoglm_phone.core.errors import AutoGLMError, InvalidRequest, Overloaded, UnsupportedModality
from autoglm_phone.core.live import LIVE_RATE
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions
from autoglm_phone.media.pcm import Resampler, wav_bytes
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.realtime.client_events import (
    AnyEvent,
    AudioAppend,
    AudioClear,
    AudioCommit,
    GivenItem,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    MessageItem,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
    read_item,
)
from autoglm_phone.server.realtime.conversation import (
    Conversation,
    Entry,
    Item,
    as_input,
    new_item_id,
    spoken_until,
)
from autoglm_phone.server.realtime.response import Response, Wanted
from autoglm_phone.server.realtime.session_config import SessionConfig, checked, updated
from autoglm_phone.server.realtime.wire import Say, error_fields, samples_of
from autoglm_phone.server.services import Services

BUFFER = "input_audio_buffer"
_PIECE_SAMPLES = 24_000
# Of sounds that came with items. Who sends more has not waited for what was heard of the first.
_MAX_HEARING = 8


class RealtimeSession:
    """Whoever makes one must await `close`."""

    def __init__(self, services: Services, config: ServerConfig, client: Client, say: Say) -> None:
        self._services, self._config, self._client, self._say = services, config, client, say
        self._session = checked(
            {
                "id": f"sess_{secrets.token_hex(12)}",
                "model": config.model_id,
                "output_modalities": ["audio" if self._has_voice else "text"],
            },
            has_voice=self._has_voice,
        )
        self._conversation = Conversation()
        self._resampler = Resampler(self._session.audio.input.rate, LIVE_RATE)
        self._ear = self._make_ear()
        self._by_voice: set[str] = set()
        self._response: tuple[Response, asyncio.Task[None]] | None = None
        self._hearing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await self._say("session.created", session=self._session.wire())

    async def close(self) -> None:
        if self._ear is not None:
            await self._ear.close()
        for task in self._hearing:
            task.cancel()
        await self._end_response("client_cancelled")

    async def take(self, event: AnyEvent) -> None:
        """Raises AutoGLMError for what the client is to be told."""
        match event:
            case SessionUpdate():
                await self._update(event.session)
            case AudioAppend():
                await self._append(event.audio)
            case AudioCommit():
                await self._the_ear().commit()
            case AudioClear():
                self._the_ear().clear()
                await self._say("input_audio_buffer.cleared")
            case ItemCreate():
                await self._add(event)
            case ItemDelete():
                self._conversation.delete(event.item_id)
                await self._say("conversation.item.deleted", item_id=event.item_id)
            case ItemRetrieve():
                await self._say("conversation.item.retrieved", item=self._conversation.get(event.item_id).item)
            case ItemTruncate():
                await self._truncate(event)
            case ResponseCreate():
                self._respond(self._wanted(event.response or {}))
            case ResponseCancel():
                await self._cancel(event.response_id)
            case _:
                assert_never(event)

    @property
    def _has_voice(self) -> bool:
        return self._services.voice is not None

    def _make_ear(self) -> LiveEar | None:
        if self._services.live is None:
            return None
        ear = LiveEar(self._services.live, self._hear, self._tell, new_item_id, max_s=self._config.max_live_s)
        self._configure(ear, self._session)
        return ear

    def _the_ear(self) -> LiveEar:
        if self._ear is None:
            raise UnsupportedModality("this server takes no sounds: its speech module is not loaded", param=BUFFER)
        return self._ear

    @staticmethod
    def _configure(ear: LiveEar, session: SessionConfig) -> None:
        audio = session.audio.input
        rules = audio.turn_detection.rules if audio.turn_detection is not None else None
        ear.configure(rules, has_drafts=audio.transcription is not None)

    async def _update(self, given: Mapping[str, Any]) -> None:
        session = updated(self._session, given, has_voice=self._has_voice)
        if session.audio.input.rate != self._session.audio.input.rate:
            self._resampler = Resampler(session.audio.input.rate, LIVE_RATE)
        self._session = session
        if self._ear is not None:
            self._configure(self._ear, session)
        await self._say("session.updated", session=session.wire())

    # ---- sounds

    async def _append(self, audio: str) -> None:
        ear = self._the_ear()
        samples = samples_of(audio, param="audio")
        for start in range(0, len(samples), _PIECE_SAMPLES):
            await ear.append(self._resampler.push(samples[start : start + _PIECE_SAMPLES]))
            await asyncio.sleep(0)  # an event may hold minutes of sound, and others are served between

    async def _hear(self, samples: Samples, draft: DraftWish | None) -> tuple[Heard, ...]:
        """The ear's Hear."""
        transcriptions = self._services.transcriptions
        if transcriptions is None:
            raise UnsupportedModality("this server takes no sounds: its speech module is not loaded", param=BUFFER)
        wanted = self._session.audio.input.transcription
        prompt = (wanted.prompt or "").strip() if wanted is not None else ""
        options = HearingOptions(language=self._session.language, prompt=prompt)
        if draft is not None:
            language = options.language or draft.language
            options = replace(options, language=language, with_times=draft.with_times, is_draft=True)
        parts = transcriptions.stream(wav_bytes(samples, LIVE_RATE), options, param=BUFFER, client=self._client)
        async with aclosing(parts):
            return tuple([part async for part in parts if isinstance(part, Heard)])

    async def _tell(self, event: EarEvent) -> None:
        """The ear's Tell."""
        match event:
            case SpeechBegan(turn, start_s):
                await self._say("input_audio_buffer.speech_started", audio_start_ms=round(start_s * 1000), item_id=turn)
                await self._interrupt()
            case Overheard():
                await self._tell_draft(event)
            case SpeechOver():
                await self._begin_item(event)
            case Understood():
                await self._finish_item(event)
            case Misheard():
                await self._fail_item(event)
            case _:
                assert_never(event)

    async def _interrupt(self) -> None:
        turn_detection = self._session.audio.input.turn_detection
        if turn_detection is not None and turn_detection.interrupt_response:
            await self._end_response("turn_detected")

    async def _tell_draft(self, event: Overheard) -> None:
        """`hypothesis` is ours: all of the draft, of which the deltas so far are the certain part."""
        await self._say(
            "conversation.item.input_audio_transcription.delta",
            item_id=event.turn,
            content_index=0,
            delta=event.certain,
            hypothesis=event.text,
        )

    async def _begin_item(self, event: SpeechOver) -> None:
        if event.by_voice:
            self._by_voice.add(event.turn)
            end_ms = round(event.end_s * 1000)
            await self._say("input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=event.turn)
        item = _user_item(event.turn, [{"type": "input_audio", "transcript": None}])
        previous = self._conversation.add(Entry(item))
        await self._say("input_audio_buffer.committed", item_id=event.turn, previous_item_id=previous)
        await self._say("conversation.item.added", item=item, previous_item_id=previous)

    async def _finish_item(self, event: Understood) -> None:
        if self._session.audio.input.transcription is not None:
            place = {"item_id": event.turn, "content_index": 0}
            if event.rest:
                await self._say("conversation.item.input_audio_transcription.delta", **place, delta=event.rest)
            await self._say(
                "conversation.item.input_audio_transcription.completed",
                **place,
                transcript=event.text,
                usage={"type": "duration", "seconds": round(event.duration_s, 3)},
            )
        await self._settle(event.turn, event.text)
        is_by_voice = event.turn in self._by_voice
        self._by_voice.discard(event.turn)
        # A cough is no question; and whoever is answered already has asked for that himself.
        if is_by_voice and event.text and self._session.responds and self._response is None:
            self._respond(Wanted(self._session))

    async def _fail_item(self, event: Misheard) -> None:
        self._by_voice.discard(event.turn)
        await self._say(
            "conversation.item.input_audio_transcription.failed",
            item_id=event.turn,
            content_index=0,
            error={name: value for name, value in error_fields(event.error).items() if name != "event_id"},
        )
        await self._settle(event.turn, "")

    async def _settle(self, item_id: str, text: str) -> None:
        """The words of an item are known; unless it was deleted meanwhile."""
        if (entry := self._conversation.find(item_id)) is None:
            return
        entry.item["content"][0]["transcript"] = text
        entry.is_silent = not text
        entry.is_heard.set()
        await self._say("conversation.item.done", item=entry.item, previous_item_id=None)

    # ---- items

    async def _add(self, event: ItemCreate) -> None:
        item, sound = self._kept(event.item)
        entry = Entry(item)
        if sound is None:
            entry.is_heard.set()
        previous = self._conversation.add(entry, event.previous_item_id)
        await self._say("conversation.item.added", item=item, previous_item_id=previous)
        if sound is None:
            await self._say("conversation.item.done", item=item, previous_item_id=previous)
        else:
            task = asyncio.create_task(self._hear_item(entry, *sound))
            self._hearing.add(task)
            task.add_done_callback(self._hearing.discard)

    def _kept(self, given: GivenItem) -> tuple[Item, tuple[int, Samples] | None]:
        """The item as it is kept, without sounds; and the part that is a sound with its samples, if there is one."""
        fields = given.model_dump(exclude_none=True, exclude={"status"})
        item: Item = {"id": new_item_id(), "object": "realtime.item", "status": "completed", **fields}
        if fields["type"] == "function_call":
            item.setdefault("call_id", f"call_{secrets.token_hex(12)}")
        sound: tuple[int, Samples] | None = None
        if isinstance(given, MessageItem):
            for index, part in enumerate(item["content"]):
                _check_part(given.role, part["type"], index)
                audio = part.pop("audio", None)
                if part["type"] == "input_audio" and part.setdefault("transcript", None) is None:
                    if sound is not None:
                        raise InvalidRequest("`item.content`: an item may hold one sound", param="item.content")
                    self._the_ear()
                    if len(self._hearing) >= _MAX_HEARING:
                        raise Overloaded(f"{_MAX_HEARING} sounds of this session are being heard; wait for their words")
                    samples = samples_of(audio or "", param=f"item.content[{index}].audio")
                    sound = (index, Resampler(self._session.audio.input.rate, LIVE_RATE).push(samples))
        return item, sound

    async def _hear_item(self, entry: Entry, index: int, samples: Samples) -> None:
        place = {"item_id": entry.id, "content_index": index}
        kind = "conversation.item.input_audio_transcription"
        try:
            text = "".join(one.text for one in await self._hear(samples, None)).strip()
        except AutoGLMError as error:
            await self._say(f"{kind}.failed", **place, error=error_fields(error))
        else:
            entry.item["content"][index]["transcript"] = text
            usage = {"type": "duration", "seconds": len(samples) / LIVE_RATE}
            await self._say(f"{kind}.completed", **place, transcript=text, usage=usage)
        finally:
            entry.is_heard.set()
        await self._say("conversation.item.done", item=entry.item, previous_item_id=None)

    async def _truncate(self, event: ItemTruncate) -> None:
        """What was not played was not said."""
        entry = self._conversation.get(event.item_id)
        content = entry.item["content"][0] if entry.item.get("role") == "assistant" else {}
        if content.get("type") != "output_audio":
            raise InvalidRequest("`item_id`: only the assistant's spoken items can be truncated", param="item_id")
        content["transcript"] = spoken_until(entry.spoken, event.audio_end_ms)
        await self._say(
            "conversation.item.truncated", item_id=entry.id, content_index=0, audio_end_ms=event.audio_end_ms
        )

    # ---- responses

    def _wanted(self, given: Mapping[str, Any]) -> Wanted:
        fields = dict(given)
        metadata, conversation = fields.pop("metadata", None), fields.pop("conversation", None)
        input_items = fields.pop("input", None)
        if conversation not in (None, "auto", "none"):
            raise InvalidRequest("`response.conversation`: `auto` or `none`", param="response.conversation")
        if metadata is not None and not _is_metadata(metadata):
            raise InvalidRequest("`response.metadata`: up to 16 short strings", param="response.metadata")
        if input_items is not None and not isinstance(input_items, list):
            raise InvalidRequest("`response.input`: a list of items", param="response.input")
        session = updated(self._session, fields, has_voice=self._has_voice)
        items = None if input_items is None else [self._own_input(one, i) for i, one in enumerate(input_items)]
        return Wanted(session, metadata, items, joins=conversation != "none")

    def _own_input(self, fields: Any, index: int) -> Item:
        place = f"response.input[{index}]"
        if isinstance(fields, dict) and fields.get("type") == "item_reference":
            return as_input(self._conversation.get(str(fields.get("id"))).item)
        item, sound = self._kept(read_item(fields, place))
        if sound is not None:
            raise InvalidRequest(f"`{place}`: create an item for a sound, and refer to it", param=place)
        return as_input(item)

    def _respond(self, wanted: Wanted) -> None:
        if self._session.type == "transcription":
            raise InvalidRequest("a transcription session gives no responses")
        if self._response is not None:
            raise InvalidRequest(
                f"the response {self._response[0].id} is being given; cancel it, or wait for its response.done"
            )
        response = Response(self._services, self._config, self._client, self._conversation, wanted, self._say)
        task = asyncio.create_task(response.run())
        self._response = (response, task)
        task.add_done_callback(lambda _: self._forget(response))

    def _forget(self, response: Response) -> None:
        if self._response is not None and self._response[0] is response:
            self._response = None

    async def _cancel(self, response_id: str | None) -> None:
        if self._response is None or response_id not in (None, self._response[0].id):
            raise InvalidRequest("there is no such response to cancel", param="response_id")
        await self._end_response("client_cancelled")

    async def _end_response(self, reason: Literal["client_cancelled", "turn_detected"]) -> None:
        if self._response is not None:
            response, task = self._response
            await response.end(task, reason)
            self._forget(response)


def _user_item(item_id: str, content: list[Item]) -> Item:
    return {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": content,
    }


_PARTS = {
    "user": frozenset({"input_text", "input_audio", "input_image"}),
    "system": frozenset({"input_text"}),
    "assistant": frozenset({"output_text", "output_audio"}),
}


def _check_part(role: str, kind: str, index: int) -> None:
    if kind not in _PARTS[role]:
        raise InvalidRequest(
            f"`item.content[{index}].type`: {kind} does not belong to {role}; there are {', '.join(_PARTS[role])}",
            param=f"item.content[{index}].type",
        )


def _is_metadata(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= 16
        and all(isinstance(one, str) and len(one) <= 512 for pair in value.items() for one in pair)
    )
