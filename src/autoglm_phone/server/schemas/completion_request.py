"""POST /v1/completions as clients write it: OpenAI's older form, with vLLM's additions."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from autoglm_phone.server.schemas.generation import GenerationRequest
from autoglm_phone.server.schemas.wire_model import TAG

MAX_PROMPTS = 16
MAX_LOGPROBS = 20
DEFAULT_MAX_TOKENS = 16  # OpenAI's

Tokens = Annotated[list[int], Field(min_length=1)]


def _prompt_tag(value: Any) -> str:
    first = value[0] if isinstance(value, list) and value else value
    kinds = {str: "texts", int: "tokens", list: "token_lists"}
    return f"{TAG}{'text' if isinstance(value, str) else kinds.get(type(first), 'texts')}"


Prompt = Annotated[
    Annotated[str, Tag("~text")]
    | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS), Tag("~texts")]
    | Annotated[Tokens, Tag("~tokens")]
    | Annotated[list[Tokens], Field(min_length=1, max_length=MAX_PROMPTS), Tag("~token_lists")],
    Discriminator(_prompt_tag),
]


class CompletionRequest(GenerationRequest):
    """The prompt is what the model is fed: no template, no system prompt, and control tokens count."""

    prompt: Prompt = Field(
        description=f"A text, up to {MAX_PROMPTS} of them, a list of tokens, or up to {MAX_PROMPTS} such lists."
    )
    echo: bool | None = Field(None, description="Begin each answer with its prompt. Default false.")
    logprobs: int | None = Field(
        None, ge=0, le=MAX_LOGPROBS, description="Tell the log-probabilities of the tokens, and of so many likely ones."
    )
