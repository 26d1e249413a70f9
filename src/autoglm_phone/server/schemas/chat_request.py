"""POST /v1/chat/completions as clients write it: OpenAI's form, vLLM's additions, and the article's.

Types are strict: a number in quotes is not a number. Unknown names are collected, not lost. Descriptions are shown in
docs/http-api.md.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

MAX_STOP_STRINGS = 16
MAX_STOP_CHARS = 256
INT64_MAX = 2**63 - 1


class WireModel(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def _url_object(value: Any) -> Any:
    """Many clients write the address itself where OpenAI has an object around it."""
    return {"url": value} if isinstance(value, str) else value


class ImageUrl(WireModel):
    url: str


class AudioUrl(WireModel):
    url: str


class InputAudio(WireModel):
    data: str


class TextPart(WireModel):
    type: Literal["text"]
    text: str


class ImageUrlPart(WireModel):
    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, BeforeValidator(_url_object)]


class InputAudioPart(WireModel):
    type: Literal["input_audio"]
    input_audio: InputAudio


class AudioUrlPart(WireModel):
    type: Literal["audio_url"]
    audio_url: Annotated[AudioUrl, BeforeValidator(_url_object)]


class RefusalPart(WireModel):
    """An assistant's turn in the history may hold one."""

    type: Literal["refusal"]
    refusal: str


# Tags stand in the places that pydantic names, but not in the request: `~` tells them apart.
TAG = "~"


def _part_tag(value: Any) -> str | None:
    return f"{TAG}{value.get('type')}" if isinstance(value, dict) else None


def _content_tag(value: Any) -> str:
    return f"{TAG}string" if isinstance(value, str) else f"{TAG}parts"


Part = Annotated[
    Annotated[TextPart, Tag("~text")]
    | Annotated[ImageUrlPart, Tag("~image_url")]
    | Annotated[InputAudioPart, Tag("~input_audio")]
    | Annotated[AudioUrlPart, Tag("~audio_url")]
    | Annotated[RefusalPart, Tag("~refusal")],
    Discriminator(
        _part_tag,
        custom_error_type="part_type",
        custom_error_message="a part needs a `type`, one of text, image_url, input_audio, audio_url",
    ),
]

Content = Annotated[
    Annotated[str, Tag("~string")] | Annotated[list[Part], Tag("~parts")],
    Discriminator(_content_tag),
]


class WireMessage(WireModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    refusal: str | None = None


class StreamOptions(WireModel):
    include_usage: bool | None = None


class ChatTemplateKwargs(WireModel):
    enable_thinking: bool | None = None


StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
Stop = Annotated[
    Annotated[StopString, Tag("~string")]
    | Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS), Tag("~list")],
    Discriminator(lambda value: "~string" if isinstance(value, str) else "~list"),
]


class ChatCompletionRequest(WireModel):
    """Null is the same as leaving a field out."""

    model: str | None = Field(None, description="One of the names of `GET /v1/models`; left out: the served model.")
    messages: list[WireMessage] = Field(min_length=1, description="The conversation; see Messages.")
    stream: bool | None = Field(None, description="Send the answer in pieces, as server-sent events. Default false.")
    stream_options: StreamOptions | None = Field(
        None, description="`include_usage`: one more chunk with the counts, before the end. Only with `stream`."
    )
    max_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="Longest answer, in tokens, thought included. Default 1024."
    )
    max_completion_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="OpenAI's newer name of `max_tokens`."
    )
    temperature: float | None = Field(None, ge=0, le=2, description="0 takes the likeliest token. Range 0 to 2.")
    top_p: float | None = Field(None, gt=0, le=1, description="Keep the likeliest tokens up to this probability.")
    top_k: int | None = Field(
        None, ge=-1, le=INT64_MAX, description="Keep this many of the likeliest tokens; 0 and -1 keep all."
    )
    min_p: float | None = Field(None, ge=0, le=1, description="Drop what is less likely than this share of the best.")
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once for each time a token was generated. Range -2 to 2."
    )
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="Subtracted once if a token was generated. Range -2 to 2."
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=10, description="Divides the score of tokens of the prompt and of the answer; 1 is off."
    )
    seed: int | None = Field(
        None, ge=-INT64_MAX - 1, le=INT64_MAX, description="The same request alone gives the same text again."
    )
    stop: Stop | None = Field(
        None,
        description=f"A string or up to {MAX_STOP_STRINGS} of them, each of 1 to {MAX_STOP_CHARS} characters; "
        "the answer ends before the first that appears.",
    )
    ignore_eos: bool | None = Field(None, description="Go on to `max_tokens` whatever the model says. Default false.")
    truncation: Literal["auto", "error"] | None = Field(
        None,
        description='"auto" drops the oldest turns when the window is full and says how many, "error" refuses. '
        "Default: the server's setting.",
    )
    enable_thinking: bool | None = Field(None, description="Let the model think before it answers. Default false.")
    chat_template_kwargs: ChatTemplateKwargs | None = Field(
        None, description="`enable_thinking` may stand in here too, as for vLLM and llama.cpp."
    )
    return_reasoning: bool | None = Field(None, description="Send the thought as well. Default true.")
    include_reasoning: bool | None = Field(None, description="vLLM's name of `return_reasoning`.")
    use_default_system_prompt: bool | None = Field(
        None, description="Put the bundle's system prompt first if the messages bring none. Default true."
    )
    images: list[str] | None = Field(
        None, description="Pictures of the last user turn: base64, data URIs, or addresses. They stand before its text."
    )
    audio: str | None = Field(
        None, description="A sound of the last user turn: a data URI, base64, or an address. After the pictures."
    )
