"""The samples of a live sound that may still be asked for, under their places in the whole sound."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.live import LIVE_RATE


class SoundTape:
    """start to end: the places that are held. Samples are 16 bits at LIVE_RATE."""

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self._pieces: deque[NDArray[np.int16]] = deque()

    @property
    def duration_s(self) -> float:
        return (self.end - self.start) / LIVE_RATE

    def append(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            self._pieces.append(samples)
            self.end += len(samples)

    def cut(self, start: int, end: int) -> NDArray[np.int16]:
        """A copy of what is held between two places."""
        held = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        return held[max(0, start - self.start) : max(0, end - self.start)].copy()

    def forget(self, before: int) -> None:
        """What lies before this place will not be asked for."""
        while self._pieces and self.start < before:
            first = self._pieces.popleft()
            dropped = min(before - self.start, len(first))
            self.start += dropped
            if dropped < len(first):
                self._pieces.appendleft(first[dropped:])
