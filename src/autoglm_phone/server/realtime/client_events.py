"""What a client may send. Unknown names are refused: a session has no header to report them in."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.convert import first_fault
from autoglm_phone.server.realtime.session_config import MAX_TEXT_CHARS
from autoglm_phone.server.schemas.messages import MAX_ID_CHARS, ToolName
from autoglm_phone.server.schemas.wire_model import TAG, tag_of_type

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _tag(value: Any) -> str | None:
    """Of an object as it was sent, or as it is read again."""
    return f"{TAG}{value.type}" if isinstance(value, BaseModel) and hasattr(value, "type") else tag_of_type(value)


class ClientEvent(_Wire):
    event_id: Annotated[str, Field(max_length=512)] | None = None


class SessionUpdate(ClientEvent):
    type: Literal["session.update"]
    session: dict[str, Any]


class AudioAppend(ClientEvent):
    """audio: base64."""

    type: Literal["input_audio_buffer.append"]
    audio: str


class AudioCommit(ClientEvent):
    type: Literal["input_audio_buffer.commit"]


class AudioClear(ClientEvent):
    type: Literal["input_audio_buffer.clear"]


class InputText(_Wire):
    type: Literal["input_text"]
    text: Text


class InputAudio(_Wire):
    """audio: base64, in the session's input format. transcript: the words, if they are known already."""

    type: Literal["input_audio"]
    audio: str | None = None
    transcript: Text | None = None


class InputImage(_Wire):
    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


class OutputText(_Wire):
    type: Literal["output_text"]
    text: Text


class OutputAudio(_Wire):
    type: Literal["output_audio"]
    transcript: Text
    audio: None = None


Part = Annotated[
    Annotated[InputText, Tag("~input_text")]
    | Annotated[InputAudio, Tag("~input_audio")]
    | Annotated[InputImage, Tag("~input_image")]
    | Annotated[OutputText, Tag("~output_text")]
    | Annotated[OutputAudio, Tag("~output_audio")],
    Discriminator(_tag),
]


class _Item(_Wire):
    id: Id | None = None
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class MessageItem(_Item):
    type: Literal["message"]
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Part], Field(min_length=1, max_length=64)]


class CallItem(_Item):
    type: Literal["function_call"]
    name: ToolName
    arguments: Text
    call_id: Id | None = None


class CallOutputItem(_Item):
    type: Literal["function_call_output"]
    call_id: Id
    output: Text


GivenItem = Annotated[
    Annotated[MessageItem, Tag("~message")]
    | Annotated[CallItem, Tag("~function_call")]
    | Annotated[CallOutputItem, Tag("~function_call_output")],
    Discriminator(_tag),
]


class ItemCreate(ClientEvent):
    type: Literal["conversation.item.create"]
    item: GivenItem
    previous_item_id: Id | None = None


class ItemDelete(ClientEvent):
    type: Literal["conversation.item.delete"]
    item_id: Id


class ItemRetrieve(ClientEvent):
    type: Literal["conversation.item.retrieve"]
    item_id: Id


class ItemTruncate(ClientEvent):
    type: Literal["conversation.item.truncate"]
    item_id: Id
    content_index: Literal[0]
    audio_end_ms: Annotated[int, Field(ge=0)]


class ResponseCreate(ClientEvent):
    """response: fields of the session that are different for this response, and `metadata`, `conversation`, `input`."""

    type: Literal["response.create"]
    response: dict[str, Any] | None = None


class ResponseCancel(ClientEvent):
    type: Literal["response.cancel"]
    response_id: Id | None = None


AnyEvent = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | ItemCreate
    | ItemDelete
    | ItemRetrieve
    | ItemTruncate
    | ResponseCreate
    | ResponseCancel
)

_TYPES: dict[str, type[AnyEvent]] = {
    "session.update": SessionUpdate,
    "input_audio_buffer.append": AudioAppend,
    "input_audio_buffer.commit": AudioCommit,
    "input_audio_buffer.clear": AudioClear,
    "conversation.item.create": ItemCreate,
    "conversation.item.delete": ItemDelete,
    "conversation.item.retrieve": ItemRetrieve,
    "conversation.item.truncate": ItemTruncate,
    "response.create": ResponseCreate,
    "response.cancel": ResponseCancel,
}

_items: TypeAdapter[GivenItem] = TypeAdapter(GivenItem)


def read_event(fields: dict[str, Any]) -> AnyEvent:
    """Raises InvalidRequest that names the field."""
    kind = fields.get("type")
    schema = _TYPES.get(kind) if isinstance(kind, str) else None
    if schema is None:
        shown = repr(kind[:60]) if isinstance(kind, str) else "without a type"
        raise InvalidRequest(f"events {shown} are not supported; there are {', '.join(_TYPES)}", param="type")
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        raise first_fault(error) from None


def read_item(fields: Any, place: str) -> GivenItem:
    """An item of a response's own input."""
    try:
        return _items.validate_python(fields)
    except ValidationError as error:
        fault = first_fault(error)
        raise InvalidRequest(f"{place}: {fault.message}", param=f"{place}.{fault.param}") from None
