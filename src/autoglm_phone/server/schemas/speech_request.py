"""POST /v1/audio/speech as clients write it: OpenAI's form."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from autoglm_phone.media.sound_encoder import SoundFormat
from autoglm_phone.server.schemas.wire_model import WireModel

MAX_INPUT_CHARS = 4096


class VoiceId(WireModel):
    id: Annotated[str, Field(max_length=64)]


def _voice_name(value: object) -> object:
    """OpenAI's voices of one's own are objects with an id."""
    return value["id"] if isinstance(value, dict) and set(value) == {"id"} else value


class SpeechRequest(WireModel):
    model: str | None = Field(None, description="`tts-1` or another of OpenAI's names, or one of `GET /v1/models`.")
    input: str = Field(
        min_length=1, max_length=MAX_INPUT_CHARS, description="What is to be said; of Markdown, its words."
    )
    voice: Annotated[
        Annotated[str, Field(max_length=64)] | None,
        BeforeValidator(_voice_name, json_schema_input_type=str | VoiceId | None),
    ] = Field(
        None,
        description="`af_heart`, `am_michael`, `zf_xiaoxiao`, `zm_yunxi`, or one of OpenAI's names, which mean a woman "
        "or a man who speaks the language of the text. Left out: a woman.",
    )
    response_format: SoundFormat | None = Field(
        None, description="Default `mp3`. `opus` comes in Ogg, `pcm` is bare: 24 kHz, 16 bits, little-endian, mono."
    )
    speed: float | None = Field(None, ge=0.25, le=4, description="1, the default, is natural.")
    stream_format: Literal["audio", "sse"] | None = Field(
        None, description="`audio`, the default: the sound as it is spoken. `sse`: the same in events."
    )
