"""The voice is understood by the transcriber, in both languages; and it speaks over the whole server."""

import difflib
import os
import re
from pathlib import Path

import numpy as np
import pytest

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.media import Waveform
from autoglm_phone.core.voice import VOICE_RATE, SpeakingOptions
from autoglm_phone.media.pcm import Resampler
from autoglm_phone.models.speech.transcriber import Transcriber
from autoglm_phone.models.voice.kokoro import Kokoro
from autoglm_phone.weights.store import Store, cache_home
from autoglm_phone.weights.voice_bundle import voice_bundle

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def kokoro() -> Kokoro:
    try:
        model, gold, silver = Store(cache_home(os.environ)).locate(voice_bundle())["voice"].files
    except BundleError as error:
        pytest.skip(f"no voice is installed: {error}".splitlines()[0])
    return Kokoro(model, gold, silver, threads=2)


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("Please open the settings and turn on the alarm at seven thirty.", "af_heart"),
        ("Please open the settings and turn on the alarm at seven thirty.", "am_michael"),
        ("今天的天气很好,我们去公园散步吧。", "zf_xiaoxiao"),
    ],
)
def test_what_it_says_is_understood(kokoro: Kokoro, whisper_folder: Path, text: str, voice: str) -> None:
    spoken = np.concatenate(list(kokoro.speak(text, SpeakingOptions(voice))))
    samples = Resampler(VOICE_RATE, 16_000).push(spoken).astype(np.float32) / np.float32(32768)
    assert 2 < len(samples) / 16_000 < 8
    heard = Transcriber(whisper_folder).read(Waveform(samples, 16_000)).text
    said, understood = (re.sub(r"\W", "", one.lower()) for one in (text, heard.replace("7.30", "seven thirty")))
    assert difflib.SequenceMatcher(None, said, understood).ratio() > 0.8, heard


def test_speed_and_long_texts(kokoro: Kokoro) -> None:
    sentence = "This is a sentence of some length, which goes on and on. "
    slow = sum(map(len, kokoro.speak(sentence, SpeakingOptions(speed=0.8))))
    fast = sum(map(len, kokoro.speak(sentence, SpeakingOptions(speed=1.6))))
    assert 1.5 < slow / fast < 2.5
    assert len(list(kokoro.speak(sentence * 3, SpeakingOptions()))) == 3
    assert list(kokoro.speak("...", SpeakingOptions())) == []
