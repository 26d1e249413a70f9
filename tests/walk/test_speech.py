"""POST /v1/audio/speech: OpenAI's own client, through the whole server."""

import asyncio
import base64
import json

import numpy as np
import openai
import pytest
from loud_ear import Hum
from walk_house import WalkHouse

from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.limits import MediaLimits


async def test_a_text_is_said_in_every_format() -> None:
    voice = Hum()
    async with WalkHouse(voice=voice).client() as client, asyncio.timeout(20):
        for form in ("mp3", "opus", "aac", "flac", "wav"):
            speech = await client.audio.speech.create(
                model="tts-1",
                voice="alloy",
                input="**Good** morning",
                response_format=form,
                speed=1.5,
            )
            sound = decode_sound(speech.content, MediaLimits(), param=form)
            assert sound.duration_s == pytest.approx(0.16, abs=0.1)
            assert np.abs(sound.samples).max() > 0.01
        bare = await client.audio.speech.create(model="tts-1", voice="hum", input="Hi", response_format="pcm")
        assert len(bare.content) == 2 * 480
        assert bare.response.headers["content-type"] == "audio/pcm"
    assert [text for text, _ in voice.spoken][-1] == "Hi"
    assert {options.voice for _, options in voice.spoken} == {"alloy", "hum"}


async def test_the_sound_streams() -> None:
    async with WalkHouse(voice=Hum()).client() as client, asyncio.timeout(20):
        async with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="hum", input="Good morning", response_format="pcm"
        ) as speech:
            chunks = [chunk async for chunk in speech.iter_bytes()]
        assert sum(map(len, chunks)) == 12 * 480
        events = await client.audio.speech.create(
            model="tts-1", voice="hum", input="Hi", response_format="pcm", stream_format="sse"
        )
        told = [json.loads(line[6:]) for line in events.text.splitlines() if line.startswith("data: ")]
        assert [event["type"] for event in told] == ["speech.audio.delta"] * 2 + ["speech.audio.done"]
        assert sum(len(base64.b64decode(event["audio"])) for event in told[:-1]) == 2 * 480


async def test_what_cannot_be_said_is_refused() -> None:
    async with WalkHouse(voice=Hum()).client() as client, asyncio.timeout(20):
        for text in ("", "---", "x" * 5000):
            with pytest.raises(openai.BadRequestError):
                await client.audio.speech.create(model="tts-1", voice="hum", input=text)
        with pytest.raises(openai.NotFoundError):
            await client.audio.speech.create(model="nobody", voice="hum", input="Hi")


async def test_a_server_without_a_voice_says_so() -> None:
    async with WalkHouse().client() as client, asyncio.timeout(20):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.audio.speech.create(model="tts-1", voice="hum", input="Hi")
        assert caught.value.code == "unsupported_modality"
