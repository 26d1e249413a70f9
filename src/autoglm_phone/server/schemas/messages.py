"""Messages of a conversation and the tools that may be called, in OpenAI's form with vLLM's additions."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from autoglm_phone.server.schemas.wire_model import TAG, WireModel, tag_of_type

MAX_TOOLS = 128
MAX_ID_CHARS = 256
TOOL_NAME = r"^[a-zA-Z0-9_-]{1,64}$"


def _url_object(value: Any) -> Any:
    """Many clients write the address itself where OpenAI has an object around it."""
    return {"url": value} if isinstance(value, str) else value


class ImageUrl(WireModel):
    url: str


class AudioUrl(WireModel):
    url: str


class SoundData(WireModel):
    data: str


class TextPart(WireModel):
    type: Literal["text"]
    text: str


class ImageUrlPart(WireModel):
    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, BeforeValidator(_url_object, json_schema_input_type=ImageUrl | str)]


class InputAudioPart(WireModel):
    type: Literal["input_audio"]
    input_audio: SoundData


class AudioUrlPart(WireModel):
    type: Literal["audio_url"]
    audio_url: Annotated[AudioUrl, BeforeValidator(_url_object, json_schema_input_type=AudioUrl | str)]


class RefusalPart(WireModel):
    """An assistant's turn in the history may hold one."""

    type: Literal["refusal"]
    refusal: str


def _content_tag(value: Any) -> str:
    return f"{TAG}string" if isinstance(value, str) else f"{TAG}parts"


Part = Annotated[
    Annotated[TextPart, Tag("~text")]
    | Annotated[ImageUrlPart, Tag("~image_url")]
    | Annotated[InputAudioPart, Tag("~input_audio")]
    | Annotated[AudioUrlPart, Tag("~audio_url")]
    | Annotated[RefusalPart, Tag("~refusal")],
    Discriminator(
        tag_of_type,
        custom_error_type="part_type",
        custom_error_message="a part needs a `type`, one of text, image_url, input_audio, audio_url",
    ),
]

Content = Annotated[
    Annotated[str, Tag("~string")] | Annotated[list[Part], Tag("~parts")],
    Discriminator(_content_tag),
]


ToolName = Annotated[str, Field(pattern=TOOL_NAME)]


class CalledFunction(WireModel):
    name: ToolName
    arguments: str = Field("{}", description="JSON text, as the model wrote it.")


class WireToolCall(WireModel):
    id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
    type: Literal["function"] = "function"
    function: CalledFunction


class WireMessage(WireModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[WireToolCall] | None = Field(None, max_length=MAX_TOOLS)
    tool_call_id: Annotated[str, Field(max_length=MAX_ID_CHARS)] | None = None
    prefix: bool | None = None


class Function(WireModel):
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireTool(WireModel):
    type: Literal["function"]
    function: Function


class FunctionName(WireModel):
    name: ToolName


class NamedTool(WireModel):
    type: Literal["function"]
    function: FunctionName


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("~word")] | Annotated[NamedTool, Tag("~tool")],
    Discriminator(lambda value: "~word" if isinstance(value, str) else "~tool"),
]
