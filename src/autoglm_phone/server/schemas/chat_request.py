"""POST /v1/chat/completions as clients write it: OpenAI's form, vLLM's additions, and the article's.

Descriptions are shown in docs/http-api.md and in the OpenAPI document.
"""

from typing import Literal

from pydantic import Field

from autoglm_phone.server.schemas.generation import GenerationRequest
from autoglm_phone.server.schemas.messages import MAX_TOOLS, ToolChoice, WireMessage, WireTool
from autoglm_phone.server.schemas.wire_model import INT64_MAX, WireModel

MAX_TOP_LOGPROBS = 20


class ThinkingSwitch(WireModel):
    """As in GLM's own API."""

    type: Literal["enabled", "disabled"]
    budget_tokens: int | None = Field(None, ge=0, le=INT64_MAX)


class ChatTemplateKwargs(WireModel):
    enable_thinking: bool | None = None


class ChatCompletionRequest(GenerationRequest):
    """Null is the same as leaving a field out."""

    messages: list[WireMessage] = Field(min_length=1, description="The conversation; see Messages.")
    max_completion_tokens: int | None = Field(
        None, ge=1, le=INT64_MAX, description="OpenAI's newer name of `max_tokens`."
    )
    logprobs: bool | None = Field(None, description="Tell the log-probability of each token of the answer.")
    top_logprobs: int | None = Field(
        None, ge=0, le=MAX_TOP_LOGPROBS, description="And those of the likeliest tokens at its place. With `logprobs`."
    )
    truncation: Literal["auto", "error"] | None = Field(
        None,
        description='"auto" drops the oldest turns when the window is full and says how many, "error" refuses. '
        "Default: the server's setting.",
    )
    tools: list[WireTool] | None = Field(
        None, max_length=MAX_TOOLS, description=f"Functions that the model may ask to be called, at most {MAX_TOOLS}."
    )
    tool_choice: ToolChoice | None = Field(
        None, description="`none`, `auto` (the default), `required`, or the one to call, as OpenAI writes it."
    )
    parallel_tool_calls: bool | None = Field(None, description="Several calls in one answer. Default true.")
    continue_final_message: bool | None = Field(
        None, description="The last message is an assistant's; the answer goes on where it stops."
    )
    add_generation_prompt: bool | None = Field(
        None, description="False only together with `continue_final_message`, as for vLLM."
    )
    enable_thinking: bool | None = Field(
        None,
        description="Let the model think before it answers, or keep it from it. Left out: as the model is used to.",
    )
    thinking: ThinkingSwitch | None = Field(
        None, description="GLM's form: `type` enabled or disabled, and `budget_tokens`."
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = Field(
        None,
        description="`none` is `enable_thinking: false`; the others think, with at most an eighth, a quarter, a half, "
        "or (from `high`) three quarters of `max_tokens`.",
    )
    thinking_token_budget: int | None = Field(
        None, ge=0, le=INT64_MAX, description="Longest thought, in tokens; then the answer follows. Default: half."
    )
    thinking_budget_tokens: int | None = Field(
        None, ge=-1, le=INT64_MAX, description="llama.cpp's name of `thinking_token_budget`; -1 is the default."
    )
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
