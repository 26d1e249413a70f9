"""/v1/realtime with the real decoder, transcriber and voice: speech in, speech out, and who speaks ends the answer."""

import asyncio
import base64
import difflib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from running_server import RunningServer, served

from autoglm_phone.core.voice import VOICE_RATE
from autoglm_phone.media.audio import SAMPLE_RATE, decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.media.pcm import wav_bytes
from autoglm_phone.weights.store import LocatedModule

pytestmark = pytest.mark.real

SAMPLE = Path(__file__).parents[1] / "samples" / "open_settings.flac"
STORY = (
    "Once there was a fox. He lived in a forest behind the hills. Every morning he went down to the river. There he "
    "met a bear and a wolf. The three of them talked for hours. In the evening each of them went home again."
)
ADMIN = "the admin's key"
TRANSCRIPTION = "conversation.item.input_audio_transcription"


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z ]", "", text.lower()).split()


def spoken_command() -> NDArray[np.int16]:
    levels = decode_sound(SAMPLE.read_bytes(), MediaLimits(), param="sample").samples
    return np.concatenate([np.rint(levels * 32767).astype(np.int16), np.zeros(SAMPLE_RATE, np.int16)])


async def say(connection: AsyncRealtimeConnection, samples: NDArray[np.int16]) -> None:
    for start in range(0, len(samples), SAMPLE_RATE // 5):
        piece = samples[start : start + SAMPLE_RATE // 5].astype("<i2").tobytes()
        await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())


async def until(connection: AsyncRealtimeConnection, kind: str, events: list[Any]) -> Any:
    while True:
        events.append(await connection.recv())
        assert events[-1].type != "error", events[-1]
        if events[-1].type == kind:
            return events[-1]


@asynccontextmanager
async def conversation(server: RunningServer, **session: Any) -> AsyncIterator[AsyncRealtimeConnection]:
    client = openai.AsyncOpenAI(
        base_url=server.api, websocket_base_url=server.api.replace("http", "ws"), api_key="EMPTY"
    )
    async with asyncio.timeout(120), client, client.realtime.connect(model="autoglm-phone-nano") as connection:
        created = await until(connection, "session.created", [])
        assert created.session.output_modalities == ["audio"]
        sound = {"input": {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}, "transcription": {"language": "en"}}}
        await connection.session.update(session=cast(Any, {"type": "realtime", "audio": sound, **session}))
        await until(connection, "session.updated", [])
        yield connection


async def test_a_spoken_question_gets_a_spoken_answer(server: RunningServer, voice: LocatedModule) -> None:
    events: list[Any] = []
    async with conversation(
        server, instructions="Always answer with exactly: Yes, I can hear you well.", max_output_tokens=24
    ) as connection:
        await say(connection, spoken_command())
        done = await until(connection, "response.done", events)
    [heard] = [event for event in events if event.type == f"{TRANSCRIPTION}.completed"]
    assert "settings" in heard.transcript.lower()
    content = done.response.output[0].content[0]
    assert (content.type, done.response.output_modalities) == ("output_audio", ["audio"])
    pieces = [base64.b64decode(event.delta) for event in events if event.type == "response.output_audio.delta"]
    samples = np.frombuffer(b"".join(pieces), "<i2").astype(np.int16)
    async with openai.AsyncOpenAI(base_url=server.api, api_key="EMPTY") as client:
        understood = await client.audio.transcriptions.create(
            model="whisper-1", file=("answer.wav", wav_bytes(samples, VOICE_RATE)), language="en"
        )
    ratio = difflib.SequenceMatcher(None, words(content.transcript), words(understood.text), autojunk=False).ratio()
    assert ratio > 0.7, (content.transcript, understood.text)


async def test_who_speaks_ends_the_answer_and_its_sound(server: RunningServer, voice: LocatedModule) -> None:
    async with conversation(server, instructions="Repeat word for word what you read.") as connection:
        message = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": STORY}],
        }
        await connection.conversation.item.create(item=cast(Any, message))
        await connection.response.create()
        await until(connection, "response.output_audio.delta", [])
        await say(connection, spoken_command())
        events: list[Any] = []
        cut = await until(connection, "response.done", events)
        assert (cut.response.status, cut.response.status_details.reason) == ("cancelled", "turn_detected")
        assert "input_audio_buffer.speech_started" in [event.type for event in events]
        behind: list[Any] = []
        await until(connection, "response.created", behind)
        assert not [event for event in behind if event.type == "response.output_audio.delta"]
        await connection.response.cancel()
        assert (await until(connection, "response.done", [])).response.status == "cancelled"


async def test_ears_and_a_voice_that_come_later_take_part(voice: LocatedModule) -> None:
    """Asked of a server that was started without them."""
    with served("--no-speech", "--voice", "off", "--admin-key", ADMIN) as server:
        async with httpx.AsyncClient(base_url=server.api, timeout=60, trust_env=False) as client:
            mine = {"Authorization": f"Bearer {ADMIN}"}
            sentence = {"model": "tts-1", "voice": "af_heart", "input": "I am here.", "response_format": "wav"}
            assert (await client.post("/audio/speech", json=sentence)).status_code == 400
            for modality, source in (("speech", "nano"), ("voice", "autoglm-phone-voice")):
                loaded = await client.post(f"/modules/{modality}", json={"source": source}, headers=mine)
                assert loaded.status_code == 200, loaded.text
            said = await client.post("/audio/speech", json=sentence)
            assert said.content.startswith(b"RIFF")
            events: list[Any] = []
            async with conversation(server, max_output_tokens=8) as connection:
                await say(connection, spoken_command())
                await until(connection, "response.done", events)
            assert any(event.type == "response.output_audio.delta" for event in events)
            [heard] = [event for event in events if event.type == f"{TRANSCRIPTION}.completed"]
            assert "settings" in heard.transcript.lower()
            assert (await client.delete("/modules/voice", headers=mine)).status_code == 200
            assert (await client.post("/audio/speech", json=sentence)).status_code == 400
