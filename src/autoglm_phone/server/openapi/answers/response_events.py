"""The events of a streamed response. Each has its `type` as the event's name as well, and a number."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from autoglm_phone.server.openapi.answers.chat import ChosenToken
from autoglm_phone.server.openapi.answers.response import OutputItem, OutputTextPart, ResponseObject, SummaryTextPart
from autoglm_phone.server.openapi.answers.server import Fault


class _Numbered(TypedDict):
    sequence_number: Annotated[int, Field(description="From 0, without gaps.")]


class _OfItem(_Numbered):
    item_id: str
    output_index: int


class ResponseEvent(_Numbered):
    """The response as it stands; the last event of a stream carries it whole."""

    type: Literal[
        "response.created",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ]
    response: ResponseObject


class OutputItemEvent(_Numbered):
    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: int
    item: OutputItem


class ContentPartEvent(_OfItem):
    type: Literal["response.content_part.added", "response.content_part.done"]
    content_index: int
    part: OutputTextPart


class OutputTextDelta(_OfItem):
    type: Literal["response.output_text.delta"]
    content_index: int
    delta: str
    logprobs: list[ChosenToken]


class OutputTextDone(_OfItem):
    type: Literal["response.output_text.done"]
    content_index: int
    text: str
    logprobs: list[ChosenToken]


class SummaryPartEvent(_OfItem):
    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    summary_index: int
    part: SummaryTextPart


class SummaryTextDelta(_OfItem):
    type: Literal["response.reasoning_summary_text.delta"]
    summary_index: int
    delta: str


class SummaryTextDone(_OfItem):
    type: Literal["response.reasoning_summary_text.done"]
    summary_index: int
    text: str


class ArgumentsDelta(_OfItem):
    type: Literal["response.function_call_arguments.delta"]
    delta: str


class ArgumentsDone(_OfItem):
    type: Literal["response.function_call_arguments.done"]
    name: str
    arguments: str


class ErrorEvent(_Numbered):
    """Followed by `response.failed`."""

    type: Literal["error"]
    code: str
    message: str
    param: str | None
    error: Fault


ResponseStreamEvent = Annotated[
    ResponseEvent
    | OutputItemEvent
    | ContentPartEvent
    | OutputTextDelta
    | OutputTextDone
    | SummaryPartEvent
    | SummaryTextDelta
    | SummaryTextDone
    | ArgumentsDelta
    | ArgumentsDone
    | ErrorEvent,
    Field(discriminator="type"),
]
