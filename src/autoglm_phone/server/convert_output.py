"""What form an answer must have: structured output under its many names, and the tools that may be called."""

from collections.abc import Mapping
from typing import Any

from autoglm_phone.chat.chat_request import Tools
from autoglm_phone.core.conversation import ToolSpec
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.json_body import parse_object
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest
from autoglm_phone.server.schemas.generation import (
    GenerationRequest,
    JsonObjectFormat,
    JsonSchemaResponse,
    ResponseFormat,
    StructuredOutputs,
)
from autoglm_phone.server.schemas.messages import NamedTool
from autoglm_phone.text.grammar import (
    choice_grammar,
    ebnf_grammar,
    json_object_grammar,
    json_schema_grammar,
    regex_grammar,
)


def is_constrained(wire: GenerationRequest) -> bool:
    return bool(_wanted(wire))


def to_grammar(wire: GenerationRequest) -> str:
    """The grammar of the one form that was asked for, or nothing. Takes up to a second: not for the event loop."""
    forms = _wanted(wire)
    if len(forms) > 1:
        names = " and ".join(f"`{name}`" for name in forms)
        raise InvalidRequest(f"{names} each give the answer a form; send one of them", param=next(iter(forms)))
    for param, form in forms.items():
        return _compiled(form, param)
    return ""


def to_tools(wire: ChatCompletionRequest) -> Tools:
    specs = tuple(
        ToolSpec(
            tool.function.name,
            tool.function.description or "",
            tool.function.parameters or {},
            is_strict=bool(tool.function.strict),
        )
        for tool in wire.tools or ()
    )
    is_parallel = wire.parallel_tool_calls is not False
    match wire.tool_choice:
        case "required" | NamedTool() if not specs:
            raise InvalidRequest("`tool_choice` asks for a call, but `tools` names none", param="tool_choice")
        case NamedTool(function=function):
            if function.name not in {spec.name for spec in specs}:
                raise InvalidRequest(f"`tool_choice`: `tools` has no {function.name!r}", param="tool_choice")
            return Tools(specs, "required", function.name, is_parallel)
        case "required" | "none" | "auto" as choice:
            return Tools(specs, choice, None, is_parallel)
        case None:
            return Tools(specs, "auto", None, is_parallel)


# A form as (kind, value), kinds as vLLM names them.
_Form = tuple[str, Any]


def _wanted(wire: GenerationRequest) -> dict[str, _Form]:
    """Every form that was asked for, by the field that asks for it."""
    forms: dict[str, _Form] = _of_format(wire.response_format) | _of_structured(wire.structured_outputs)
    for param, kind, value in (
        ("guided_json", "json", wire.guided_json),
        ("guided_regex", "regex", wire.guided_regex),
        ("guided_choice", "choice", wire.guided_choice),
        ("guided_grammar", "grammar", wire.guided_grammar),
        ("grammar", "grammar", wire.grammar or None),
        ("json_schema", "json", wire.json_schema),
    ):
        if value is not None:
            forms[param] = (kind, value)
    return forms


def _of_format(wanted: ResponseFormat | None) -> dict[str, _Form]:
    match wanted:
        case JsonObjectFormat():
            return {"response_format": ("json_object", True)}
        case JsonSchemaResponse(json_schema=given):
            schema = given.json_schema if given.json_schema is not None else {"type": "object"}
            return {"response_format.json_schema.schema": ("json", schema)}
        case _:
            return {}


def _of_structured(wanted: StructuredOutputs | None) -> dict[str, _Form]:
    if wanted is None:
        return {}
    given = {
        "json": wanted.json_schema,
        "regex": wanted.regex,
        "choice": wanted.choice,
        "grammar": wanted.grammar,
        "json_object": wanted.json_object or None,
    }
    return {f"structured_outputs.{kind}": (kind, value) for kind, value in given.items() if value is not None}


def _compiled(form: _Form, param: str) -> str:
    match form:
        case ("json", str() as text):
            return json_schema_grammar(_parsed(text, param), param=param)
        case ("json", schema):
            return json_schema_grammar(schema, param=param)
        case ("regex", pattern):
            return regex_grammar(pattern, param=param)
        case ("choice", choices):
            return choice_grammar(choices, param=param)
        case ("grammar", text):
            return ebnf_grammar(text, param=param)
        case _:
            return json_object_grammar()


def _parsed(text: str, param: str) -> Mapping[str, Any]:
    try:
        return parse_object(text.encode())
    except InvalidRequest as error:
        raise InvalidRequest(f"`{param}`: the schema is a string, but {error.message}", param=param) from None
