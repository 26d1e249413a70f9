"""A sound that is still being recorded: how likely each moment of it holds a voice."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LIVE_RATE = 16_000  # Hz
FRAME_SAMPLES = 512
"""What the detector looks at: 32 ms."""


class LiveVoice(Protocol):
    """The voice detector of one sound, which remembers what came before."""

    async def push(self, samples: NDArray[np.int16]) -> tuple[float, ...]:
        """The probability of a voice in each whole FRAME_SAMPLES; what is left over waits for the next call.

        One call at a time. Raises EngineError once the process behind it has gone: begin anew.
        """

    @property
    def is_leaving(self) -> bool:
        """Whether the process behind it was replaced: it goes on as long as this is open."""

    def close(self) -> None: ...


class LiveDoor(Protocol):
    def live_voice(self) -> LiveVoice:
        """Raises UnsupportedModality, NotReady or Overloaded."""
