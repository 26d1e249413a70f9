"""The microphone, where sounddevice is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import MissingDependency
from autoglm_phone.media.pcm import wav_bytes

RATE = 16_000
MAX_S = 300


def record(wait: Callable[[], object]) -> bytes:
    """A WAV file of what is said until `wait` returns, MAX_S at most. Raises MissingDependency."""
    try:
        import sounddevice  # type: ignore[import-not-found]  # optional
    except (ImportError, OSError) as error:  # OSError: the package without PortAudio's library
        raise MissingDependency(
            f"recording needs sounddevice ({error}); install it with: pip install sounddevice, and PortAudio"
        ) from error
    pieces: list[NDArray[np.int16]] = []

    def take(samples: NDArray[np.int16], frames: int, time: Any, status: Any) -> None:
        if sum(map(len, pieces)) < MAX_S * RATE:
            pieces.append(samples[:, 0].copy())

    try:
        with sounddevice.InputStream(samplerate=RATE, channels=1, dtype="int16", callback=take):
            wait()
    except sounddevice.PortAudioError as error:
        raise MissingDependency(f"no microphone can be used: {error}") from error
    return wav_bytes(np.concatenate(pieces) if pieces else np.zeros(0, np.int16), RATE)
