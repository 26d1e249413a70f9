"""The form of POST /v1/audio/transcriptions and /translations, as clients send it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["json", "text", "verbose_json", "srt", "vtt"]


class TranscriptionForm(BaseModel):
    """Values are strings on the wire, so that `true` and `0.5` are read from them. The file stands beside it."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[
        str | None, Field(description="`whisper-1` or a name of `/v1/models`.", examples=["whisper-1"])
    ] = None
    language: Annotated[
        str | None,
        Field(
            description="What is spoken: a code of ISO 639-1 (`en`) or an English name. Default: it is detected.",
            examples=["en"],
        ),
    ] = None
    prompt: Annotated[
        str, Field(description="Words before the sound: names and spellings to expect. Its last 223 tokens count.")
    ] = ""
    response_format: Annotated[Format, Field(description="Default `json`.")] = "json"
    temperature: Annotated[
        float, Field(ge=0, le=1, allow_inf_nan=False, description="0, the default, takes the likeliest words.")
    ] = 0.0
    stream: Annotated[
        bool, Field(description="Send each window as it is heard, as server-sent events. With `json` and `text`.")
    ] = False
    timestamp_granularities: Annotated[
        list[Literal["word", "segment"]],
        Field(
            min_length=1,
            max_length=8,
            description="With `verbose_json`: the times of segments, of words, or of both. Default segments.",
        ),
    ] = ["segment"]
