"""The response object: what `POST` and `GET /v1/responses` answer, and what the events of a stream carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autoglm_phone.chat.delta import Usage
from autoglm_phone.core import errors
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.server.errors import error_body
from autoglm_phone.server.responses.items import Item
from autoglm_phone.server.responses.request import JsonObject, JsonSchema, ResponsesRequest, ToolChoice

Status = Literal["in_progress", "completed", "incomplete", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What is known once a response has ended. completed_at: seconds since 1970, if it came to its own end."""

    status: Status
    usage: Usage | None = None
    completed_at: int | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class ResponseForm:
    """asked: the fields of the request that a response repeats, as they were used. created_at: seconds since 1970."""

    id: str
    created_at: int
    model: str
    asked: Mapping[str, Any]

    def response(self, output: Sequence[Item], outcome: Outcome) -> dict[str, Any]:
        is_cut = outcome.status == "incomplete"
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "completed_at": outcome.completed_at,
            "status": outcome.status,
            "error": _error(outcome.error) if outcome.error is not None else None,
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "model": self.model,
            "output": list(output),
            "usage": usage_fields(outcome.usage) if outcome.usage is not None else None,
            **self.asked,
        }


def asked_fields(request: ResponsesRequest, default: SamplingParams) -> dict[str, Any]:
    """truncation null is the server's own setting; service_tier is the only one there is."""
    reasoning = request.reasoning
    return {
        "background": False,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "metadata": request.metadata or {},
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {
            "effort": reasoning.effort if reasoning is not None else None,
            "summary": (reasoning.summary or reasoning.generate_summary) if reasoning is not None else None,
        },
        "safety_identifier": request.safety_identifier,
        "service_tier": "default",
        "store": request.store is not False,
        "temperature": default.temperature if request.temperature is None else request.temperature,
        "text": {"format": _format(request), "verbosity": "medium"},
        "tool_choice": _tool_choice(request.tool_choice),
        "tools": [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": tool.strict,
            }
            for tool in request.tools or ()
        ],
        "top_logprobs": request.top_logprobs or 0,
        "top_p": default.top_p if request.top_p is None else request.top_p,
        "truncation": request.truncation,
        "user": request.user,
    }


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Names that OpenAI's have not are those of chats. What is not found in the cache is written to it."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.prompt_tokens - usage.cached_tokens,
            "image_tokens": usage.image_tokens,
            "audio_tokens": usage.audio_tokens,
            "text_tokens": usage.prompt_tokens - usage.image_tokens - usage.audio_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "autoglm": {"dropped_messages": usage.dropped_messages},
    }


def _error(error: BaseException) -> dict[str, Any]:
    """The codes of a response's error are another closed set than those of HTTP errors."""
    match error:
        case errors.Overloaded():
            code = "rate_limit_exceeded"
        case errors.RequestError():
            code = "invalid_prompt"
        case _:
            code = "server_error"
    return {"code": code, "message": error_body(error)["error"]["message"]}


def _format(request: ResponsesRequest) -> dict[str, Any]:
    match request.text.format if request.text is not None else None:
        case JsonObject():
            return {"type": "json_object"}
        case JsonSchema() as wanted:
            return {
                "type": "json_schema",
                "name": wanted.name,
                "description": wanted.description,
                "schema": wanted.json_schema,
                "strict": wanted.strict,
            }
        case _:
            return {"type": "text"}


def _tool_choice(choice: ToolChoice | None) -> Any:
    if choice is None or isinstance(choice, str):
        return choice or "auto"
    return choice.model_dump(exclude_none=True)
