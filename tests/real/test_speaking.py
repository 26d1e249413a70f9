"""The voice is understood by the transcriber, in both languages, alone and over the whole server."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from running_server import RunningServer

from autoglm_phone.core.media import Waveform
from autoglm_phone.core.voice import VOICE_RATE, SpeakingOptions
from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.media.pcm import Resampler
from autoglm_phone.media.sound_encoder import SoundFormat
from autoglm_phone.models.speech.transcriber import Transcriber
from autoglm_phone.models.voice.kokoro import Kokoro
from autoglm_phone.weights.store import LocatedModule

pytestmark = pytest.mark.real

ENGLISH = "Please open the settings and turn on the alarm at seven thirty."
CHINESE = "今天的天气很好，我们去公园散步吧。"


@pytest.fixture(scope="module")
def kokoro(voice: LocatedModule) -> Kokoro:
    model, gold, silver = voice.files
    return Kokoro(model, gold, silver, threads=2)


@pytest.fixture(scope="module")
def client(server: RunningServer, voice: LocatedModule) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key="EMPTY", max_retries=0) as client:
        yield client


def plain(text: str) -> str:
    return re.sub(r"\W", "", text.lower().replace("7.30", "seven thirty").replace("730", "seven thirty"))


def likeness(said: str, heard: str) -> float:
    """Of the characters, 1 for the same."""
    return difflib.SequenceMatcher(None, plain(said), plain(heard), autojunk=False).ratio()


@pytest.mark.parametrize(
    ("text", "voice_id"),
    [(ENGLISH, "af_heart"), (ENGLISH, "am_michael"), (CHINESE, "zf_xiaoxiao")],
)
def test_what_it_says_is_understood(kokoro: Kokoro, whisper_folder: Path, text: str, voice_id: str) -> None:
    spoken = np.concatenate(list(kokoro.speak(text, SpeakingOptions(voice_id))))
    samples = Resampler(VOICE_RATE, 16_000).push(spoken).astype(np.float32) / np.float32(32768)
    assert 2 < len(samples) / 16_000 < 8
    heard = Transcriber(whisper_folder).read(Waveform(samples, 16_000)).text
    assert likeness(text, heard) > 0.9, heard


def test_speed_and_long_texts(kokoro: Kokoro) -> None:
    sentence = "This is a sentence. "
    slow = sum(map(len, kokoro.speak(sentence, SpeakingOptions(speed=0.8))))
    fast = sum(map(len, kokoro.speak(sentence, SpeakingOptions(speed=1.6))))
    assert 1.5 < slow / fast < 2.5
    assert len(list(kokoro.speak(sentence * 3, SpeakingOptions()))) == 3
    assert list(kokoro.speak("...", SpeakingOptions())) == []


@pytest.mark.parametrize("form", ["wav", "opus"])
def test_the_server_says_it_in_a_format_that_it_understands_itself(client: openai.OpenAI, form: SoundFormat) -> None:
    said = "Turn on the alarm."
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=said, response_format=form
    ) as speech:
        sound = b"".join(speech.iter_bytes())
    heard = client.audio.transcriptions.create(model="whisper-1", file=(f"said.{form}", sound)).text
    assert likeness(said, heard) > 0.9, heard


def test_two_languages_in_one_sentence(client: openai.OpenAI) -> None:
    wav = client.audio.speech.create(
        model="tts-1", voice="nova", input="请打开 Bluetooth 开关。", response_format="wav"
    )
    heard = client.audio.transcriptions.create(model="whisper-1", file=("said.wav", wav.content), language="zh").text
    assert "打开" in heard
    assert "开关" in heard


def test_the_sound_of_a_long_text_begins_before_its_end_and_stops_with_the_listener(client: openai.OpenAI) -> None:
    text = "This is one of many sentences. " * 40
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=text, response_format="pcm"
    ) as speech:
        first = next(speech.iter_bytes())
        assert len(first) / 2 / VOICE_RATE < 5
    short = client.audio.speech.create(model="tts-1", voice="alloy", input="Yes.", response_format="wav")
    assert 0.3 < decode_sound(short.content, MediaLimits(), param="said").duration_s < 3


def test_what_no_voice_can_say_is_refused(server: RunningServer, voice: LocatedModule) -> None:
    for fields, param in (
        ({"input": "Привет"}, "input"),
        ({"input": "😀"}, "input"),
        ({"input": "Hi", "voice": "nobody"}, "voice"),
        ({"input": "Hi", "speed": 9}, "speed"),
        ({"input": "Hi", "response_format": "ogg"}, "response_format"),
    ):
        answer = httpx.post(f"{server.api}/audio/speech", json=fields, trust_env=False)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
