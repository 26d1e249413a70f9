"""The items of `input`, as clients write them: messages, calls and their outputs, thoughts, references."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from autoglm_phone.server.schemas.messages import MAX_ID_CHARS, ToolName
from autoglm_phone.server.schemas.wire_model import WireModel, tag_of_type

MAX_SHOWN_CHARS = 60

WireId = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
Status = Literal["in_progress", "completed", "incomplete"]


class InputText(WireModel):
    type: Literal["input_text"]
    text: str


class OutputText(WireModel):
    type: Literal["output_text"]
    text: str


class Refusal(WireModel):
    type: Literal["refusal"]
    refusal: str


class InputImage(WireModel):
    type: Literal["input_image"]
    image_url: str
    detail: str | None = None


class Sound(WireModel):
    data: str
    format: str | None = None


class InputAudio(WireModel):
    type: Literal["input_audio"]
    input_audio: Sound


class SummaryText(WireModel):
    type: Literal["summary_text"]
    text: str


class ReasoningText(WireModel):
    type: Literal["reasoning_text"]
    text: str


_PART_TYPES = ("input_text", "input_image", "input_audio", "output_text", "refusal")
_FILES = "; put a file's text into `input_text`, a picture into `input_image`"
_UPLOADS = "; there is no store of files, send the picture in `image_url`"


def _known_part(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in _PART_TYPES:
        raise _unknown("part", kind, _PART_TYPES, _FILES if kind == "input_file" else "")
    if kind == "input_image" and value.get("file_id") is not None:
        raise PydanticCustomError("file_id", "`file_id` is not supported{hint}", {"hint": _UPLOADS})
    return value


Part = Annotated[
    Annotated[InputText, Tag("~input_text")]
    | Annotated[InputImage, Tag("~input_image")]
    | Annotated[InputAudio, Tag("~input_audio")]
    | Annotated[OutputText, Tag("~output_text")]
    | Annotated[Refusal, Tag("~refusal")],
    Discriminator(tag_of_type),
    BeforeValidator(_known_part),
]

TextOrParts = Annotated[
    Annotated[str, Tag("~string")] | Annotated[list[Part], Tag("~parts")],
    Discriminator(lambda value: "~string" if isinstance(value, str) else "~parts"),
]


class MessageItem(WireModel):
    type: Literal["message"] = "message"
    id: WireId | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: TextOrParts
    status: Status | None = None


class FunctionCallItem(WireModel):
    type: Literal["function_call"]
    id: WireId | None = None
    call_id: WireId
    name: ToolName
    arguments: str
    status: Status | None = None


class FunctionCallOutputItem(WireModel):
    type: Literal["function_call_output"]
    id: WireId | None = None
    call_id: WireId
    output: TextOrParts
    status: Status | None = None


class ReasoningItem(WireModel):
    """A thought of an earlier turn. It is kept and listed, but not read again."""

    type: Literal["reasoning"]
    id: WireId | None = None
    summary: list[SummaryText] | None = None
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    status: Status | None = None


class ItemReference(WireModel):
    """An item of a stored response's output, by its id."""

    type: Literal["item_reference"] = "item_reference"
    id: WireId


_ITEM_TYPES = ("message", "function_call", "function_call_output", "reasoning", "item_reference")


def _item_type(value: Any) -> object:
    """Messages and references may leave their type out."""
    if not isinstance(value, dict):
        return None
    if (kind := value.get("type")) is not None:
        return kind
    return "message" if "role" in value else "item_reference" if "id" in value else None


def _known_item(value: Any) -> Any:
    kind = _item_type(value)
    if kind not in _ITEM_TYPES:
        raise _unknown("item", kind, _ITEM_TYPES, "; built-in tools are not run here" if kind else "")
    return {**value, "type": kind}


def _unknown(what: str, kind: object, known: tuple[str, ...], hint: str) -> PydanticCustomError:
    shown = f"of type {kind[:MAX_SHOWN_CHARS]!r}" if isinstance(kind, str) else "without a type"
    return PydanticCustomError(
        "unknown_type",
        "{what}s {shown} are not supported; there are {known}{hint}",
        {"what": what, "shown": shown, "known": ", ".join(known), "hint": hint},
    )


InputItem = Annotated[
    Annotated[MessageItem, Tag("~message")]
    | Annotated[FunctionCallItem, Tag("~function_call")]
    | Annotated[FunctionCallOutputItem, Tag("~function_call_output")]
    | Annotated[ReasoningItem, Tag("~reasoning")]
    | Annotated[ItemReference, Tag("~item_reference")],
    Discriminator(tag_of_type),
    BeforeValidator(_known_item),
]
