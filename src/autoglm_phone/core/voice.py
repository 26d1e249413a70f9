"""Text to speech: what a voice is asked for, and the door behind which one speaks."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

VOICE_RATE = 24_000  # Hz


@dataclass(frozen=True)
class Voice:
    """languages: codes of what it speaks, its own first."""

    id: str
    languages: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True)
class SpeakingOptions:
    """voice: an id, or empty for the one that suits the text's language. speed: 1 is natural, 0.25 to 4."""

    voice: str = ""
    speed: float = 1.0


class VoiceDoor(Protocol):
    """Closing the generator ends the work behind the piece that is being spoken."""

    @property
    def voices(self) -> tuple[Voice, ...]: ...

    def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[bytes, None]:
        """16-bit little-endian mono samples at VOICE_RATE, sentence by sentence. Raises RequestError, EngineError."""
        ...
