"""What POST /v1/audio/speech answers as events."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class SpeechDelta(TypedDict):
    type: Literal["speech.audio.delta"]
    audio: Annotated[str, Field(description="Base64 of the next piece, in the `response_format`.")]


class NoTokens(TypedDict):
    """A voice counts none."""

    input_tokens: Literal[0]
    output_tokens: Literal[0]
    total_tokens: Literal[0]


class SpeechDone(TypedDict):
    type: Literal["speech.audio.done"]
    usage: NoTokens
