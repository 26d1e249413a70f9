"""What POST /v1/chat/completions and its count of tokens answer."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

FinishReason = Literal["stop", "length", "tool_calls"]
Seconds1970 = Annotated[int, Field(description="Seconds since 1970.")]


class PromptTokensDetails(TypedDict):
    cached_tokens: Annotated[int, Field(description="Not computed again: they were in the prefix cache.")]
    image_tokens: Annotated[int, Field(description="Of the text that the vision module made of pictures.")]
    audio_tokens: Annotated[int, Field(description="Of the text that the speech module made of sounds.")]
    text_tokens: Annotated[int, Field(description="The others, template included.")]


class CompletionTokensDetails(TypedDict):
    reasoning_tokens: Annotated[int, Field(description="Of the thought, sent or not.")]


class WindowNotes(TypedDict):
    """What OpenAI's form has no place for."""

    dropped_messages: Annotated[int, Field(description="The oldest messages that were left out of the window.")]


class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails
    autoglm: WindowNotes


class LikelyToken(TypedDict):
    token: Annotated[str, Field(description="Its text; a piece of a character shows as U+FFFD.")]
    logprob: float
    bytes: Annotated[list[int], Field(description="The token exactly.")]


class ChosenToken(LikelyToken):
    top_logprobs: list[LikelyToken]


class ChatLogprobs(TypedDict):
    content: list[ChosenToken]
    refusal: None


class CalledFunctionAnswer(TypedDict):
    name: str
    arguments: Annotated[str, Field(description="JSON text.")]


class ToolCallAnswer(TypedDict):
    id: str
    type: Literal["function"]
    function: CalledFunctionAnswer


class ChatMessageAnswer(TypedDict):
    role: Literal["assistant"]
    content: Annotated[str | None, Field(description="Null beside tool calls if nothing was said.")]
    refusal: None
    reasoning_content: NotRequired[Annotated[str, Field(description="The thought, if there is one to send.")]]
    reasoning: NotRequired[Annotated[str, Field(description="The same, under the name that vLLM and Ollama use.")]]
    tool_calls: NotRequired[list[ToolCallAnswer]]


class ChatChoice(TypedDict):
    index: int
    message: ChatMessageAnswer
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(TypedDict):
    id: str
    object: Literal["chat.completion"]
    created: Seconds1970
    model: Annotated[str, Field(description="The true id, whatever name was asked for.")]
    choices: list[ChatChoice]
    usage: Usage


class CalledFunctionPiece(TypedDict):
    name: NotRequired[str]
    arguments: Annotated[str, Field(description="The next piece of their JSON text.")]


class ToolCallPiece(TypedDict):
    """The first piece of a call has its id and name."""

    index: Annotated[int, Field(description="Numbers the calls of one answer.")]
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: CalledFunctionPiece


class ChatDelta(TypedDict, total=False):
    role: Literal["assistant"]
    content: str
    reasoning_content: str
    reasoning: str
    tool_calls: list[ToolCallPiece]


class ChatChunkChoice(TypedDict):
    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None


class ChatCompletionChunk(TypedDict):
    id: str
    object: Literal["chat.completion.chunk"]
    created: Seconds1970
    model: str
    choices: Annotated[list[ChatChunkChoice], Field(description="Empty in the chunk that carries `usage`.")]
    usage: NotRequired[Annotated[Usage, Field(description="Only with `stream_options.include_usage`.")]]


class MediaTokens(TypedDict):
    image_tokens: int
    audio_tokens: int


class InputTokens(TypedDict):
    object: Literal["response.input_tokens"]
    input_tokens: int
    input_tokens_details: MediaTokens
