"""How likely each moment of a live sound holds a voice: silero's detector, frame by frame. For the media process."""

import numpy as np
from faster_whisper.vad import get_vad_model  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from autoglm_phone.core.live import FRAME_SAMPLES

_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (1, 1, 128)


class LiveDetector:
    """The same numbers as of the whole sound at once: state and context go from one call to the next."""

    def __init__(self) -> None:
        self._session = get_vad_model().session
        self._h = np.zeros(_STATE_SHAPE, np.float32)
        self._c = np.zeros(_STATE_SHAPE, np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: NDArray[np.float32]) -> tuple[float, ...]:
        """samples at LIVE_RATE, in -1..1, any number of them. One probability for each frame that is now whole."""
        samples = np.concatenate([self._rest, samples])
        num_frames = len(samples) // FRAME_SAMPLES
        self._rest = samples[num_frames * FRAME_SAMPLES :]
        if num_frames == 0:
            return ()
        frames = samples[: num_frames * FRAME_SAMPLES].reshape(num_frames, FRAME_SAMPLES)
        before = np.vstack([self._context, frames[:-1, -_CONTEXT_SAMPLES:]])
        self._context = frames[-1, -_CONTEXT_SAMPLES:]
        inputs = {"input": np.hstack([before, frames]), "h": self._h, "c": self._c}
        probabilities, self._h, self._c = self._session.run(None, inputs)
        return tuple(float(one) for one in probabilities.reshape(-1))
