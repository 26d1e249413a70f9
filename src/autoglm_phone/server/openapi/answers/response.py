"""The response object of /v1/responses, its items, and lists of them."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from autoglm_phone.server.openapi.answers.chat import ChosenToken, Seconds1970, WindowNotes

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputTextPart(TypedDict):
    type: Literal["output_text"]
    annotations: Annotated[list[Any], Field(max_length=0)]
    logprobs: Annotated[list[ChosenToken], Field(description="If they were asked for.")]
    text: str


class InputTextPart(TypedDict):
    type: Literal["input_text"]
    text: str


class RefusalPartAnswer(TypedDict):
    type: Literal["refusal"]
    refusal: str


class InputImagePart(TypedDict):
    type: Literal["input_image"]
    image_url: str
    detail: str


class SoundAnswer(TypedDict):
    data: str
    format: str


class InputSoundPart(TypedDict):
    type: Literal["input_audio"]
    input_audio: SoundAnswer


MessagePart = Annotated[
    OutputTextPart | InputTextPart | RefusalPartAnswer | InputImagePart | InputSoundPart, Field(discriminator="type")
]


class ResponseMessage(TypedDict):
    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["user", "assistant", "system", "developer"]
    content: list[MessagePart]


class ResponseFunctionCall(TypedDict):
    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: Annotated[str, Field(description="JSON text.")]


class ResponseFunctionOutput(TypedDict):
    id: str
    type: Literal["function_call_output"]
    status: ItemStatus
    call_id: str
    output: str | list[MessagePart]


class SummaryTextPart(TypedDict):
    type: Literal["summary_text"]
    text: str


class ReasoningTextPart(TypedDict):
    type: Literal["reasoning_text"]
    text: str


class ResponseReasoning(TypedDict):
    """A thought. `content` has it where clients of open models look, `summary` where OpenAI's look."""

    id: str
    type: Literal["reasoning"]
    summary: list[SummaryTextPart]
    content: NotRequired[list[ReasoningTextPart]]
    status: NotRequired[ItemStatus]


OutputItem = Annotated[ResponseMessage | ResponseFunctionCall | ResponseReasoning, Field(discriminator="type")]
AnyItem = Annotated[
    ResponseMessage | ResponseFunctionCall | ResponseFunctionOutput | ResponseReasoning, Field(discriminator="type")
]


class ResponseError(TypedDict):
    code: Literal["rate_limit_exceeded", "invalid_prompt", "server_error"]
    message: str


class IncompleteDetails(TypedDict):
    reason: Literal["max_output_tokens"]


class ResponseInputDetails(TypedDict):
    cached_tokens: int
    cache_write_tokens: int
    image_tokens: int
    audio_tokens: int
    text_tokens: int


class ResponseOutputDetails(TypedDict):
    reasoning_tokens: int


class ResponseUsage(TypedDict):
    input_tokens: int
    input_tokens_details: ResponseInputDetails
    output_tokens: int
    output_tokens_details: ResponseOutputDetails
    total_tokens: int
    autoglm: WindowNotes


class AskedReasoning(TypedDict):
    effort: str | None
    summary: str | None


class AskedText(TypedDict):
    format: Annotated[dict[str, Any], Field(description="As it was asked for; `type` says which.")]
    verbosity: Literal["medium"]


class AskedTool(TypedDict):
    type: Literal["function"]
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


class ResponseObject(TypedDict):
    """What came of a request, and what it had asked for."""

    id: str
    object: Literal["response"]
    created_at: Seconds1970
    completed_at: Annotated[int | None, Field(description="Seconds since 1970, if it came to its own end.")]
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    model: Annotated[str, Field(description="The true id, whatever name was asked for.")]
    output: list[OutputItem]
    usage: ResponseUsage | None
    background: Literal[False]
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: AskedReasoning
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: Annotated[bool, Field(description="Whether it can be asked for again.")]
    temperature: float
    text: AskedText
    tool_choice: str | dict[str, Any]
    tools: list[AskedTool]
    top_logprobs: int
    top_p: float
    truncation: Annotated[
        Literal["auto", "disabled"] | None, Field(description="Null: the server's own setting was used.")
    ]
    user: str | None


class DeletedResponse(TypedDict):
    id: str
    object: Literal["response"]
    deleted: Literal[True]


class ItemList(TypedDict):
    object: Literal["list"]
    data: list[AnyItem]
    first_id: str | None
    last_id: str | None
    has_more: bool
