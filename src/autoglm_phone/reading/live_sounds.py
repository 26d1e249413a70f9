"""Live sounds in the media process: a thread of its own, so that a voice is noticed while a sound is being read."""

from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.reading.messages import LiveClosed, LiveId, LiveSamples, LiveVoices


class Detector(Protocol):
    def push(self, samples: NDArray[np.float32]) -> tuple[float, ...]: ...


class LiveSounds:
    """One detector for each sound that is open. `run` is the thread's."""

    def __init__(self, new_detector: Callable[[], Detector], answer: Callable[[LiveVoices], None]) -> None:
        self._new_detector, self._answer = new_detector, answer
        self._detectors: dict[LiveId, Detector] = {}
        self._queue: SimpleQueue[LiveSamples | LiveClosed] = SimpleQueue()

    def put(self, message: LiveSamples | LiveClosed) -> None:
        self._queue.put(message)

    def run(self) -> None:
        while True:
            self.take(self._queue.get())

    def take(self, message: LiveSamples | LiveClosed) -> None:
        if isinstance(message, LiveClosed):
            self._detectors.pop(message.id, None)
            return
        if message.id not in self._detectors:
            self._detectors[message.id] = self._new_detector()
        samples = np.frombuffer(message.data, np.int16).astype(np.float32) / np.float32(32768)
        self._answer(LiveVoices(message.id, self._detectors[message.id].push(samples)))
