"""A response request to the body of a chat request: there is one way to read media, tools, formats and limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.responses.fields import UNSUPPORTED, WITHOUT_EFFECT
from autoglm_phone.server.responses.messages import Messages, Placed
from autoglm_phone.server.responses.places import Places
from autoglm_phone.server.responses.request import (
    AllowedTools,
    FunctionTool,
    JsonObject,
    JsonSchema,
    NamedFunction,
    PlainText,
    ResponsesRequest,
)

_SAME_NAMES = ("model", "temperature", "top_p", "top_logprobs", "parallel_tool_calls")
_PLACES = {
    "messages": "input",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "response_format.json_schema": "text.format",
    "reasoning_effort": "reasoning.effort",
    "tool_choice.function": "tool_choice",
}
_SWITCHES = ("enable_thinking", "thinking", "chat_template_kwargs")


@dataclass(frozen=True)
class ChatBody:
    """fields: what a chat's client would have sent. places: path in them -> path in the response request."""

    fields: dict[str, Any]
    places: Places


def to_chat_body(request: ResponsesRequest, dialogue: Sequence[Placed]) -> ChatBody:
    """dialogue: all items, the oldest first. What chats and responses have in common is handed on as it came."""
    messages = Messages()
    if request.instructions is not None:
        messages.add_instructions(request.instructions)
    for placed in dialogue:
        messages.add(placed)
    ours = (*WITHOUT_EFFECT, *UNSUPPORTED)
    fields = {name: value for name, value in (request.model_extra or {}).items() if name not in ours}
    fields["messages"] = messages.messages
    fields |= {name: getattr(request, name) for name in _SAME_NAMES if getattr(request, name) is not None}
    fields |= {name: value for name, value in _renamed(request).items() if value is not None}
    tools, places = _tools(request)
    if tools:
        fields["tools"] = tools
    return ChatBody(fields, _PLACES | messages.places | places)


def _renamed(request: ResponsesRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "max_completion_tokens": request.max_output_tokens,
        "truncation": {"auto": "auto", "disabled": "error", None: None}[request.truncation],
        "logprobs": wants_logprobs(request) or None,
        "response_format": _response_format(request),
        "tool_choice": _tool_choice(request),
    }
    if (reasoning := request.reasoning) is not None:
        fields["reasoning_effort"] = reasoning.effort
        given = request.model_extra or {}
        if (
            reasoning.asks_for_summary
            and reasoning.effort is None
            and all(given.get(name) is None for name in _SWITCHES)
        ):
            # Whoever wants to see a thought wants one.
            fields["enable_thinking"] = True
    return fields


def wants_logprobs(request: ResponsesRequest) -> bool:
    return bool(request.top_logprobs) or "message.output_text.logprobs" in (request.include or ())


def _response_format(request: ResponsesRequest) -> dict[str, Any] | None:
    match request.text.format if request.text is not None else None:
        case None | PlainText():
            return None
        case JsonObject():
            return {"type": "json_object"}
        case JsonSchema() as wanted:
            given = {"name": wanted.name, "description": wanted.description, "strict": wanted.strict}
            return {"type": "json_schema", "json_schema": {**given, "schema": wanted.json_schema}}
        case unknown:
            assert_never(unknown)


def _tool_choice(request: ResponsesRequest) -> str | dict[str, Any] | None:
    match request.tool_choice:
        case AllowedTools(mode=mode):
            return mode
        case NamedFunction(name=name):
            return {"type": "function", "function": {"name": name}}
        case word:
            return word


def _tools(request: ResponsesRequest) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Those that the model is shown, and where each stands in the request."""
    shown: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    allowed = _allowed_names(request)
    for index, tool in enumerate(request.tools or ()):
        if allowed is None or tool.name in allowed:
            places |= {f"tools[{len(shown)}]": f"tools[{index}]", f"tools[{len(shown)}].function": f"tools[{index}]"}
            shown.append(_tool(tool))
    return shown, places


def _allowed_names(request: ResponsesRequest) -> set[str] | None:
    if not isinstance(request.tool_choice, AllowedTools):
        return None
    known = {tool.name for tool in request.tools or ()}
    for index, tool in enumerate(request.tool_choice.tools):
        if tool.name not in known:
            param = f"tool_choice.tools[{index}].name"
            raise InvalidRequest(f"`{param}`: {tool.name!r} is not among `tools`", param=param)
    return {tool.name for tool in request.tool_choice.tools}


def _tool(tool: FunctionTool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": {**function, "strict": tool.strict}}
