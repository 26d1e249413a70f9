"""What the door and the voice process say to each other: msgpack, never pickle."""

from typing import NewType

import msgspec

from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.core.voice import SpeakingOptions, Voice

SpeechId = NewType("SpeechId", int)


class Speak(msgspec.Struct, frozen=True, tag=True):
    id: SpeechId
    text: str
    options: SpeakingOptions


class Hush(msgspec.Struct, frozen=True, tag=True):
    """Nobody listens any more."""

    id: SpeechId


class Ready(msgspec.Struct, frozen=True, tag=True):
    info: ModuleInfo
    voices: tuple[Voice, ...]


class Began(msgspec.Struct, frozen=True, tag=True):
    """Sent before each piece of work, so that the door sees a hang."""


class Spoken(msgspec.Struct, frozen=True, tag=True):
    """The next piece: 16-bit little-endian samples at VOICE_RATE."""

    id: SpeechId
    sound: bytes


class Said(msgspec.Struct, frozen=True, tag=True):
    """All of it."""

    id: SpeechId


class Refused(msgspec.Struct, frozen=True, tag=True):
    """An InvalidRequest."""

    id: SpeechId
    message: str
    param: str | None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Our fault, and only this text's."""

    id: SpeechId
    message: str


ToVoice = Speak | Hush
End = Said | Refused | Failed
FromVoice = Ready | Began | Spoken | End

_to_voice = msgspec.msgpack.Decoder(ToVoice)
_from_voice = msgspec.msgpack.Decoder(FromVoice)

encode = msgspec.msgpack.encode


def decode_to_voice(frame: bytes) -> ToVoice:
    message: ToVoice = _to_voice.decode(frame)
    return message


def decode_from_voice(frame: bytes) -> FromVoice:
    message: FromVoice = _from_voice.decode(frame)
    return message
