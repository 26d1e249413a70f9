"""What POST /v1/completions answers, whole and in chunks: the same form."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from autoglm_phone.server.openapi.answers.chat import Seconds1970, Usage


class CompletionLogprobs(TypedDict):
    """Lists of the same length, a token of the answer in each place."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: Annotated[list[int], Field(description="Where each token begins.")]


class CompletionChoice(TypedDict):
    index: Annotated[int, Field(description="The choices of the first prompt come first.")]
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Annotated[Literal["stop", "length"] | None, Field(description="Null in chunks before the last.")]


class Completion(TypedDict):
    id: str
    object: Literal["text_completion"]
    created: Seconds1970
    model: str
    choices: Annotated[list[CompletionChoice], Field(description="Empty in the chunk that carries `usage`.")]
    usage: NotRequired[Annotated[Usage, Field(description="In chunks only with `stream_options.include_usage`.")]]
