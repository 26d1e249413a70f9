"""WS /v1/realtime: OpenAI's own client, through the whole server."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import numpy as np
import openai
import pydantic
import pytest
import websockets
from loud_ear import NOISY, Hum, LoudEar, loud, quiet
from numpy.typing import NDArray
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from walk_house import MODEL, WalkHouse

from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import EngineStatus, Request, TokenEvent
from autoglm_phone.engine.config import EngineConfig

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
TRANSCRIPTION = "conversation.item.input_audio_transcription"


def b64(samples: NDArray[np.int16]) -> str:
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()


class Talk:
    """A connection, and all that was said on it."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def until(self, kind: str) -> Any:
        """The next event of this kind; those before it are kept."""
        while True:
            event = await self.connection.recv()
            self.events.append(event)
            if event.type == kind:
                return event

    async def say(self, *sounds: NDArray[np.int16]) -> None:
        """In pieces of a fifth of a second."""
        whole = np.concatenate(sounds)
        for start in range(0, len(whole), 4800):
            await self.connection.input_audio_buffer.append(audio=b64(whole[start : start + 4800]))

    def kinds(self) -> list[str]:
        return [event.type for event in self.events]

    def text(self, kind: str) -> str:
        return "".join(event.delta for event in self.events if event.type == kind)


class Caller:
    """An engine that calls a tool, whoever asks."""

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        for byte in CALL.encode():
            yield TokenEvent((TokenId(byte),))
        yield TokenEvent((), finish="stop")

    def status(self) -> EngineStatus:
        return EngineStatus("ready")


@asynccontextmanager
async def talking(house: WalkHouse, session: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Talk]:
    with house.live(**settings) as address:
        client = openai.AsyncOpenAI(
            base_url=f"{address}/v1",
            websocket_base_url=f"{address.replace('http', 'ws')}/v1",
            api_key=settings.get("api_key", "EMPTY"),
        )
        async with client, client.realtime.connect(model=MODEL) as connection:
            talk = Talk(connection)
            await talk.until("session.created")
            if session is not None:
                await connection.session.update(session=cast(Any, {"type": "realtime", **session}))
                await talk.until("session.updated")
            yield talk


def talk(
    test: Callable[[Talk], Awaitable[None]],
    house: WalkHouse | None = None,
    session: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    async def go() -> None:
        async with asyncio.timeout(20), talking(house or hearing(), session, **settings) as one:
            await test(one)

    asyncio.run(go())


def hearing(**parts: Any) -> WalkHouse:
    ear = LoudEar()
    return WalkHouse(transcriptions=ear, ear=ear, **parts)


def manual(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": None}}, **fields}


def test_a_written_turn_is_answered_as_text() -> None:
    async def test(talk: Talk) -> None:
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done")
        assert done.response.status == "completed"
        assert done.response.output[0].content[0].text == "You said: Hello"
        assert done.response.usage.input_tokens > 0
        assert talk.text("response.output_text.delta") == "You said: Hello"
        kinds = talk.kinds()
        assert kinds[1:9] == [
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "conversation.item.added",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
        ]
        assert kinds[-5:] == [
            "response.output_text.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert all(event.event_id for event in talk.events)

    talk(test)


def test_the_server_hears_when_a_turn_is_over_and_answers_it() -> None:
    async def test(talk: Talk) -> None:
        await talk.say(quiet(0.5), loud(1.0), quiet(0.3), loud(0.5), quiet(0.8))
        done = await talk.until("response.done")
        assert done.response.output[0].content[0].text == "You said: one two three"
        [started] = [event for event in talk.events if event.type == "input_audio_buffer.speech_started"]
        [stopped] = [event for event in talk.events if event.type == "input_audio_buffer.speech_stopped"]
        assert started.item_id == stopped.item_id
        assert 150 <= started.audio_start_ms <= 300  # 300 ms before the voice
        assert 2700 <= stopped.audio_end_ms <= 2900  # 500 ms behind it
        [completed] = [event for event in talk.events if event.type == f"{TRANSCRIPTION}.completed"]
        assert completed.transcript == "one two three"
        assert completed.usage.type == "duration"
        assert talk.text(f"{TRANSCRIPTION}.delta") == "one two three"
        order = [kind for kind in talk.kinds() if kind.startswith(("input_audio", TRANSCRIPTION + ".c", "response.cr"))]
        assert order == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            f"{TRANSCRIPTION}.completed",
            "response.created",
        ]

    talk(test)


def test_words_are_told_while_they_are_spoken() -> None:
    async def test(talk: Talk) -> None:
        await talk.say(loud(1.0))
        while True:
            draft = await talk.until(f"{TRANSCRIPTION}.delta")
            if draft.hypothesis == "one two":
                break
        await talk.say(loud(0.5))
        while draft.hypothesis != "one two three":
            draft = await talk.until(f"{TRANSCRIPTION}.delta")
        assert talk.text(f"{TRANSCRIPTION}.delta") == "one two"
        await talk.say(quiet(0.8))
        await talk.until(f"{TRANSCRIPTION}.completed")
        assert talk.text(f"{TRANSCRIPTION}.delta") == "one two three"

    talk(test)


def test_push_to_talk_is_committed_and_answered_when_asked() -> None:
    async def test(talk: Talk) -> None:
        await talk.say(loud(1.0))
        await talk.connection.input_audio_buffer.commit()
        committed = await talk.until("input_audio_buffer.committed")
        await talk.connection.response.create()
        done = await talk.until("response.done")
        assert done.response.output[0].content[0].text == "You said: one two"
        await talk.connection.conversation.item.retrieve(item_id=committed.item_id)
        item = (await talk.until("conversation.item.retrieved")).item
        assert (item.role, item.content[0].transcript) == ("user", "one two")

    talk(test, session=manual())


def test_an_empty_buffer_is_not_committed_and_a_cleared_one_is_empty() -> None:
    async def test(talk: Talk) -> None:
        await talk.say(loud(1.0))
        await talk.connection.input_audio_buffer.clear()
        await talk.until("input_audio_buffer.cleared")
        await talk.connection.input_audio_buffer.commit(event_id="mine")
        error = (await talk.until("error")).error
        assert error.event_id == "mine"
        assert "empty" in error.message

    talk(test, session=manual())


def test_a_cough_and_a_noise_get_no_answer() -> None:
    async def test(talk: Talk) -> None:
        await talk.say(quiet(0.5), loud(0.2), quiet(0.8))
        assert (await talk.until(f"{TRANSCRIPTION}.completed")).transcript == ""
        await talk.say(quiet(0.5), loud(1.0, NOISY), quiet(0.8))
        failed = await talk.until(f"{TRANSCRIPTION}.failed")
        assert failed.error.code == "media_undecodable"
        await talk.say(loud(0.5), quiet(0.8))
        await talk.until("response.done")
        assert talk.kinds().count("response.created") == 1

    talk(test)


def test_whoever_speaks_interrupts_the_answer() -> None:
    house = hearing()

    async def test(talk: Talk) -> None:
        house.model.gate.clear()
        await talk.say(loud(1.0), quiet(0.8))
        await talk.until("response.created")
        await talk.say(loud(0.5))
        done = await talk.until("response.done")
        assert done.response.status == "cancelled"
        assert done.response.status_details.reason == "turn_detected"
        house.model.gate.set()
        await talk.say(quiet(0.8))
        done = await talk.until("response.done")
        assert done.response.status == "completed"

    talk(test, house)


def test_a_response_is_cancelled() -> None:
    house = hearing()

    async def test(talk: Talk) -> None:
        house.model.gate.clear()
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        )
        await talk.connection.response.create()
        await talk.until("response.created")
        await talk.connection.response.create()
        assert "is being given" in (await talk.until("error")).error.message
        await talk.connection.response.cancel()
        done = await talk.until("response.done")
        assert done.response.status_details.reason == "client_cancelled"
        await talk.connection.response.cancel()
        assert "no such response" in (await talk.until("error")).error.message

    talk(test, house)


def test_an_answer_is_spoken_and_truncated_to_what_was_played() -> None:
    voice = Hum()

    async def test(talk: Talk) -> None:
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "A. 1234567890 bc."}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done")
        content = done.response.output[0].content[0]
        assert (content.type, content.transcript) == ("output_audio", "You said: A. 1234567890 bc.")
        assert talk.text("response.output_audio_transcript.delta") == content.transcript
        sound = b"".join(base64.b64decode(e.delta) for e in talk.events if e.type == "response.output_audio.delta")
        assert len(sound) / 48 == 10 * sum(len(text) for text, _ in voice.spoken)
        assert {options.voice for _, options in voice.spoken} == {"hum"}
        item_id = done.response.output[0].id
        await talk.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=130)
        await talk.until("conversation.item.truncated")
        await talk.connection.conversation.item.retrieve(item_id=item_id)
        item = (await talk.until("conversation.item.retrieved")).item
        assert item.content[0].transcript.startswith("You said: A")
        assert len(item.content[0].transcript) < len(content.transcript)

    talk(test, hearing(voice=voice), session={"audio": {"output": {"voice": "hum"}}})


def test_a_tool_is_called() -> None:
    async def test(talk: Talk) -> None:
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Rain?"}]}
        )
        await talk.connection.response.create()
        done = await talk.until("response.done")
        call = done.response.output[-1]
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Oslo"})
        assert json.loads(talk.text("response.function_call_arguments.delta")) == {"city": "Oslo"}
        await talk.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        )
        await talk.until("conversation.item.done")

    roomy = EngineConfig(max_model_len=4096, kv_tokens=8192)
    weather = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    talk(test, WalkHouse(engine=Caller(), engine_config=roomy), session={"tools": [weather]})


def test_what_is_not_supported_is_said_and_the_session_stays_as_it_was() -> None:
    async def test(talk: Talk) -> None:
        for session, param in (
            ({"type": "realtime", "tracing": {"group_id": "x"}}, "session.tracing"),
            ({"type": "realtime", "colour": "red"}, "session.colour"),
            ({"type": "realtime", "output_modalities": ["audio"]}, "session.output_modalities"),
            (
                {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
                "session.audio.input.turn_detection.type",
            ),
        ):
            await talk.connection.send(cast(Any, {"type": "session.update", "session": session}))
            assert (await talk.until("error")).error.param == param
        await talk.connection.send(cast(Any, {"type": "no.such.event"}))
        assert (await talk.until("error")).error.param == "type"
        await talk.connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        updated = (await talk.until("session.updated")).session
        assert updated.instructions == "Be brief."
        assert updated.audio.input.turn_detection.silence_duration_ms == 500

    talk(test)


def test_a_sound_may_come_with_an_item_and_a_response_may_stand_apart() -> None:
    async def test(talk: Talk) -> None:
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": b64(loud(1.5))}]}
        )
        await talk.connection.response.create(response={"conversation": "none", "metadata": {"topic": "x"}})
        done = await talk.until("response.done")
        assert done.response.output[0].content[0].text == "You said: one two three"
        assert done.response.metadata == {"topic": "x"}
        await talk.connection.conversation.item.retrieve(item_id=done.response.output[0].id)
        assert "there is no item" in (await talk.until("error")).error.message

    talk(test)


def test_a_server_without_ears_answers_what_is_written() -> None:
    async def test(talk: Talk) -> None:
        await talk.say(loud(0.2))
        assert (await talk.until("error")).error.code == "unsupported_modality"
        await talk.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        )
        await talk.connection.response.create()
        assert (await talk.until("response.done")).response.status == "completed"

    talk(test, WalkHouse())


def test_a_transcription_session_gives_no_answers() -> None:
    async def test(talk: Talk) -> None:
        await talk.connection.session.update(
            session={"type": "transcription", "audio": {"input": {"transcription": {"language": "en"}}}}
        )
        await talk.until("session.updated")
        await talk.say(loud(1.0), quiet(0.8))
        await talk.until("conversation.item.done")
        await talk.connection.response.create()
        assert "no responses" in (await talk.until("error")).error.message

    house = hearing()
    talk(test, house)
    assert isinstance(house.transcriptions, LoudEar)
    assert {options.language for options in house.transcriptions.asked} == {"en"}


def test_with_a_key_only_those_who_have_it_come_in() -> None:
    async def test(talk: Talk) -> None:
        assert talk.kinds() == ["session.created"]

    talk(test, api_key="right")

    async def refused(status: int, path: str = "/v1/realtime", **options: Any) -> None:
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with websockets.connect(f"{url}{path}", **options):
                pass
        assert caught.value.response.status_code == status
        assert json.loads(caught.value.response.body)["error"]["message"]

    async def browser() -> None:
        packed = base64.urlsafe_b64encode(b"right").decode().rstrip("=")
        for key in ("openai-insecure-api-key.right", f"autoglm-api-key.{packed}"):
            async with websockets.connect(f"{url}/v1/realtime", subprotocols=["realtime", key]) as socket:  # type: ignore[list-item]
                assert socket.subprotocol == "realtime"
        await refused(401)
        await refused(401, subprotocols=["realtime", "openai-insecure-api-key.wrong"])
        right = {"Authorization": "Bearer right"}
        await refused(404, "/v1/realtime?model=nobody", additional_headers=right)
        await refused(403, origin="http://evil.example", additional_headers=right)

    with hearing().live(api_key="right") as address:
        url = address.replace("http", "ws")
        asyncio.run(browser())


def test_every_event_is_what_openais_types_say() -> None:
    """Strictly: the official client takes anything. `hypothesis` is a field of ours."""
    known: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(RealtimeServerEvent)
    kinds: set[str] = set()

    async def go() -> None:
        async with asyncio.timeout(20), websockets.connect(f"{url}/v1/realtime") as socket:

            async def send(**fields: Any) -> None:
                await socket.send(json.dumps(fields))

            async def until(kind: str) -> None:
                while True:
                    event = json.loads(await socket.recv())
                    known.validate_python(event)
                    kinds.add(event["type"])
                    if event["type"] == kind:
                        return

            await until("session.created")
            sounds = (quiet(0.5), loud(1.0), quiet(0.8))
            await send(type="input_audio_buffer.append", audio=b64(np.concatenate(sounds)))
            await until("response.done")
            text = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
            item = {"type": "message", "id": "mine", **text}
            await send(type="conversation.item.create", item=item, previous_item_id="root")
            await send(type="response.create", response={"output_modalities": ["text"], "max_output_tokens": 4})
            await until("response.done")
            await send(type="conversation.item.retrieve", item_id="mine")
            await send(type="conversation.item.delete", item_id="mine")
            await send(
                type="session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            )
            await send(type="input_audio_buffer.append", audio=b64(loud(0.5, NOISY)))
            await send(type="input_audio_buffer.commit")
            await send(type="response.cancel")
            await until(f"{TRANSCRIPTION}.failed")
            await send(type="input_audio_buffer.clear")
            await until("input_audio_buffer.cleared")

    with hearing(voice=Hum()).live() as address:
        url = address.replace("http", "ws")
        asyncio.run(go())
    assert {"error", "response.output_audio.delta", "response.output_text.delta", "conversation.item.deleted"} <= kinds


def test_an_event_may_hold_minutes_of_sound() -> None:
    async def test(talk: Talk) -> None:
        await talk.connection.input_audio_buffer.append(audio=b64(np.concatenate([quiet(120), loud(1.0), quiet(0.8)])))
        await talk.until(f"{TRANSCRIPTION}.completed")

    talk(test)


def test_more_than_an_event_may_hold_ends_the_session() -> None:
    async def send_too_much(socket: websockets.ClientConnection) -> None:
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": "A" * (17 << 20)}))
        while True:
            await socket.recv()

    async def go() -> None:
        async with asyncio.timeout(20), websockets.connect(f"{url}/v1/realtime") as socket:
            with pytest.raises(websockets.ConnectionClosed):
                await send_too_much(socket)
        async with asyncio.timeout(20), websockets.connect(f"{url}/v1/realtime") as socket:
            await socket.recv()

    with hearing().live() as address:
        url = address.replace("http", "ws")
        asyncio.run(go())


def test_sounds_of_items_are_bounded() -> None:
    house = hearing()
    assert isinstance(house.transcriptions, LoudEar)
    house.transcriptions.gate = asyncio.Event()

    async def test(talk: Talk) -> None:
        sound = {"type": "input_audio", "audio": b64(loud(0.5))}
        for _ in range(9):
            await talk.connection.conversation.item.create(
                item=cast(Any, {"type": "message", "role": "user", "content": [sound]})
            )
        assert (await talk.until("error")).error.code == "overloaded"

    talk(test, house)


def frame(**event: Any) -> bytes:
    """A text of WebSocket, masked by zeros (RFC 6455, section 5.2)."""
    text = json.dumps(event).encode()
    return b"\x81\xff" + len(text).to_bytes(8, "big") + bytes(4) + text


def test_who_does_not_read_loses_his_place() -> None:
    item = {"type": "message", "id": "x", "role": "user", "content": [{"type": "input_text", "text": "x" * 90_000}]}
    handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Host: localhost")
    key = f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}"

    async def go(silent: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(silent, (host, int(port)))
        opening = "\r\n".join(("GET /v1/realtime HTTP/1.1", *handshake, key, "", "")).encode()
        create = frame(type="conversation.item.create", item=item)
        retrieve = frame(type="conversation.item.retrieve", item_id="x")
        await loop.sock_sendall(silent, opening)
        await loop.sock_recv(silent, 100)
        await loop.sock_sendall(silent, create + 200 * retrieve)
        while True:  # the place is free once the server has given the silent one up
            try:
                async with websockets.connect(f"ws://{host}:{port}/v1/realtime") as connection:
                    await connection.recv()
                    return
            except websockets.InvalidStatus:
                await asyncio.sleep(0.01)

    async def in_time() -> None:
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.setblocking(False)
            async with asyncio.timeout(20):
                await go(silent)

    with hearing().live(max_realtime_sessions=1, max_send_s=0.05) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        asyncio.run(in_time())


def test_sessions_are_bounded_and_a_message_that_is_no_event_ends_none() -> None:
    async def go() -> None:
        async with websockets.connect(f"{url}/v1/realtime") as socket:
            await socket.recv()
            for wrong in ("{", b"\x00", "[]", '{"type": 5}', '{"type": "input_audio_buffer.append", "audio": "AAA"}'):
                await socket.send(wrong)
                assert json.loads(await socket.recv())["type"] == "error"
            with pytest.raises(websockets.InvalidStatus) as caught:
                async with websockets.connect(f"{url}/v1/realtime"):
                    pass
            assert caught.value.response.status_code == 429
        while True:  # the place is free once the server has seen the end
            try:
                async with websockets.connect(f"{url}/v1/realtime"):
                    return
            except websockets.InvalidStatus:
                await asyncio.sleep(0.01)

    with hearing().live(max_realtime_sessions=1) as address:
        url = address.replace("http", "ws")
        asyncio.run(go())
