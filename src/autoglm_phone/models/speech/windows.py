"""A sound to windows that the model can hear: the parts with a voice in them, and where in the sound they were."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
MAX_SPEECH_S = 28
# The voice detector takes a whole sound at once: 220 MB for 300 s, 35 MB for 60 s.
_MAX_PIECE_S, _SEAM_S = 60, 5


@dataclass(frozen=True)
class Part:
    """Samples `start` to `end` of the sound, which follow on `offset` samples of earlier parts in the window."""

    start: int
    end: int
    offset: int


@dataclass(frozen=True, eq=False)
class SpeechWindow:
    """samples: those of the parts, one behind the other."""

    samples: NDArray[np.float32]
    parts: tuple[Part, ...]

    @property
    def start_s(self) -> float:
        return self.parts[0].start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        return self.parts[-1].end / SAMPLE_RATE

    def times_in_sound(self, start_s: float, end_s: float) -> tuple[float, float]:
        """From seconds of the window to seconds of the sound, for one word.

        A word lies in one part: where it ends, because a silence before it is often counted to it.
        """
        part = next((one for one in reversed(self.parts) if one.offset < end_s * SAMPLE_RATE), self.parts[0])
        first, last = (self._sample_in_sound(seconds, part) / SAMPLE_RATE for seconds in (start_s, end_s))
        return first, last

    def _sample_in_sound(self, seconds: float, part: Part) -> float:
        return min(max(seconds * SAMPLE_RATE - part.offset, 0) + part.start, part.end)


def speech_windows(samples: NDArray[np.float32]) -> Iterator[SpeechWindow]:
    """The parts with a voice in them (silero), joined to windows of MAX_SPEECH_S at most."""
    for first, piece in _pieces(samples):
        parts: list[Part] = []
        for chunk in get_speech_timestamps(piece, VadOptions(max_speech_duration_s=MAX_SPEECH_S)):
            start, end = first + chunk["start"], first + chunk["end"]
            num_samples = parts[-1].offset + parts[-1].end - parts[-1].start if parts else 0
            if num_samples + end - start > MAX_SPEECH_S * SAMPLE_RATE and parts:
                yield _window(samples, parts)
                parts, num_samples = [], 0
            if end > start:
                parts.append(Part(start, end, num_samples))
        if parts:
            yield _window(samples, parts)


def _window(samples: NDArray[np.float32], parts: list[Part]) -> SpeechWindow:
    return SpeechWindow(np.concatenate([samples[part.start : part.end] for part in parts]), tuple(parts))


def _pieces(samples: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Each with the number of samples before it. Cut where it is quietest in the last seconds, so that no word is."""
    begin = 0
    while len(samples) - begin > _MAX_PIECE_S * SAMPLE_RATE:
        first = begin + (_MAX_PIECE_S - _SEAM_S) * SAMPLE_RATE
        last = begin + _MAX_PIECE_S * SAMPLE_RATE
        loudness = np.square(samples[first:last]).reshape(-1, SAMPLE_RATE // 10).sum(axis=1)
        seam = first + int(loudness.argmin()) * (SAMPLE_RATE // 10) + SAMPLE_RATE // 20
        yield begin, samples[begin:seam]
        begin = seam
    yield begin, samples[begin:]
