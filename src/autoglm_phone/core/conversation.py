"""What a caller said: messages made of text, pictures and sounds, before any of it is read."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class TextPart:
    text: str


@dataclass(frozen=True)
class ImagePart:
    """An encoded picture, as it came. `param` names the part in error messages."""

    data: bytes
    param: str


@dataclass(frozen=True)
class AudioPart:
    """An encoded sound, as it came. `param` names the part in error messages."""

    data: bytes
    param: str


Part = TextPart | ImagePart | AudioPart


@dataclass(frozen=True)
class Message:
    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Conversation:
    messages: tuple[Message, ...]
