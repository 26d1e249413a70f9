"""An ear that takes what is loud for a voice and hears a word for each half second of it; a voice that hums."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import MediaUndecodable
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.live import FRAME_SAMPLES, LIVE_RATE
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment, TranscriptEnd
from autoglm_phone.core.voice import VOICE_RATE, SpeakingOptions, Voice
from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.limits import MediaLimits

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight")
LOUD = 8000
NOISY = 16000
"""So loud that nothing can be understood."""


def loud(seconds: float, level: int = LOUD, rate: int = 24_000) -> NDArray[np.int16]:
    return np.full(round(seconds * rate), level, np.int16)


def quiet(seconds: float, rate: int = 24_000) -> NDArray[np.int16]:
    return loud(seconds, 0, rate)


class LoudVoice:
    is_leaving = False

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)

    async def push(self, samples: NDArray[np.int16]) -> tuple[float, ...]:
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = samples[whole:]
        frames = samples[:whole].reshape(-1, FRAME_SAMPLES)
        return tuple(1.0 if level > LOUD / 2 else 0.0 for level in np.abs(frames).mean(axis=1))

    def close(self) -> None:
        pass


@dataclass
class LoudEar:
    """Both the LiveDoor and the Transcriptions. asked: the options of every sound that was to be heard.

    gate: if there is one, hearing waits for it.
    """

    asked: list[HearingOptions] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def live_voice(self) -> LoudVoice:
        return LoudVoice()

    async def stream(
        self, sound: bytes, options: HearingOptions, *, param: str, client: Client
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        self.asked.append(options)
        if self.gate is not None:
            await self.gate.wait()
        samples = decode_sound(sound, MediaLimits(), param=param).samples
        levels = np.abs(samples) * 32768
        if levels.max() > (LOUD + NOISY) / 2:
            raise MediaUndecodable(f"{param}: what a noise", param=param)
        text = " ".join(WORDS[: round(float((levels > LOUD / 2).sum()) / (LIVE_RATE / 2))])
        segment = Segment(f" {text}", 0.0, 1.0, (), 0.0, 0.0, -0.1, 0.0, 1.0)
        yield Heard("en", (segment,) if text else ())
        yield TranscriptEnd(len(samples) / LIVE_RATE, Digest("00"), Digest("00"), was_cached=False, seconds=0.1)


@dataclass
class Hum:
    """Hums for each character, 10 ms unless told otherwise."""

    ms: int = 10
    spoken: list[tuple[str, SpeakingOptions]] = field(default_factory=list)

    @property
    def voices(self) -> tuple[Voice, ...]:
        return (Voice("hum", ("en",)),)

    async def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[bytes, None]:
        self.spoken.append((text, options))
        for _ in text:
            yield np.full(VOICE_RATE * self.ms // 1000, 1000, "<i2").tobytes()
