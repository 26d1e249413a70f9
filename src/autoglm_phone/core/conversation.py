"""What a caller said: messages made of text, pictures and sounds, before any of it is read, and tools to be called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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
class ToolSpec:
    """A function that the model may ask to be called. parameters: a JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_strict: bool = False


@dataclass(frozen=True)
class ToolCall:
    """A call that an assistant asked for. arguments: JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """tool_calls stand behind the parts of an assistant's turn; a message of role "tool" answers one of them."""

    role: Role
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True)
class Conversation:
    messages: tuple[Message, ...]
