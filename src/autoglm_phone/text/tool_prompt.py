"""Tools in a prompt, older calls and their results, in the form of Hermes and Qwen2.5; and what a call looks like.

Only what stands here is trusted: names, descriptions, schemas, arguments and results are plain text, so that
`<|im_start|>` or `<tool_call>` in them names no token.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from autoglm_phone.core.conversation import ToolCall, ToolSpec
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar.json_schema import any_object, embedded_schema
from autoglm_phone.text.grammar.validated import validated
from autoglm_phone.text.piece import Piece

MAX_TOOLS = 128
MAX_GRAMMAR_BYTES = 300_000
CALL, END_CALL = "<tool_call>", "</tool_call>"

# Qwen2.5's chat template, letter for letter.
_BEFORE_TOOLS = (
    "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
_BEHIND_TOOLS = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
    "</tool_call>"
)


def tools_block(specs: Sequence[ToolSpec]) -> tuple[Piece, ...]:
    """What stands behind the system prompt, with the blank lines between; nothing without tools."""
    if not specs:
        return ()
    tools = "".join(f"\n{_dumped(_as_openai(spec))}" for spec in specs)
    return Piece(_BEFORE_TOOLS, True), Piece(tools, False), Piece(_BEHIND_TOOLS, True)


def assistant_calls(calls: Sequence[ToolCall], *, is_behind_text: bool = False) -> tuple[Piece, ...]:
    """Calls at the end of an assistant's turn, each on lines of its own."""
    pieces: list[Piece] = []
    for index, call in enumerate(calls):
        body = _dumped({"name": call.name, "arguments": _arguments(call.arguments)})
        before = f"\n{CALL}\n" if index or is_behind_text else f"{CALL}\n"
        pieces += [Piece(before, True), Piece(body, False), Piece(f"\n{END_CALL}", True)]
    return tuple(pieces)


def tool_results(results: Sequence[str]) -> tuple[Piece, ...]:
    """The content of the one user turn that answers calls which belong together."""
    pieces: list[Piece] = []
    for index, result in enumerate(results):
        before = "\n<tool_response>\n" if index else "<tool_response>\n"
        pieces += [Piece(before, True), Piece(result, False), Piece("\n</tool_response>", True)]
    return tuple(pieces)


def tools_grammar(
    specs: Sequence[ToolSpec], *, only: str | None, is_required: bool, is_parallel: bool, may_be_bare: bool = True
) -> str:
    """What an answer that may call these tools looks like. Takes up to a second: not for the event loop.

    only         the one tool that must be called, or None for any
    is_required  the answer is one call, or several if is_parallel, and nothing else; `only` implies it
    Otherwise any text, and behind it a call, or several if is_parallel. Nothing follows a call but another.
    may_be_bare  there the answer may also be one call without its tags: small models write it so. Where it may not,
                 an answer cannot begin like one: a result before it would only be asked for again
    """
    _check_list(specs)
    wanted = [(index, spec) for index, spec in enumerate(specs) if only in (None, spec.name)]
    if not wanted:
        raise InvalidRequest(f"there is no tool {only!r} among the tools", param="tool_choice")
    calls = [_call_rule(spec, index) for index, spec in wanted]
    more = f'("\\n{CALL}\\n" call "\\n{END_CALL}")*' if is_parallel else ""
    tagged = f'"{CALL}\\n" call "\\n{END_CALL}" {more}'
    bare = "| call" if may_be_bare else ""
    free = f'start: TEXT | opening "\\n" call "\\n{END_CALL}" {more} {bare}'
    names = "|".join(spec.name for _, spec in wanted)
    rules = [
        "%llguidance {}",
        f"start: {tagged}" if is_required or only is not None else free,
        # Lazy: whatever the text, at the first tag it is over. The tag may come as one token or as many.
        f'opening[lazy]: TEXT "{CALL}"',
        r"ANY: /(.|\n)*/",
        # What begins as a call without tags is one, or is not written.
        rf'TEXT: ANY & ~/\s*\{{"name": "({names})"(.|\n)*/',
        "call: " + " | ".join(f"call_{number}" for number in range(len(calls))),
        *(f"call_{number}: {rule}" for number, rule in enumerate(calls)),
    ]
    grammar = "\n".join(rules)
    if len(grammar) > MAX_GRAMMAR_BYTES:
        reason = f"the tools make a grammar of {len(grammar)} bytes, the limit is {MAX_GRAMMAR_BYTES}; offer fewer"
        raise InvalidRequest(reason, param="tools")
    return validated(grammar, "the list of tools", param="tools")


def _check_list(specs: Sequence[ToolSpec]) -> None:
    if len(specs) > MAX_TOOLS:
        raise InvalidRequest(f"there are {len(specs)} tools, the limit is {MAX_TOOLS}; offer fewer", param="tools")
    firsts: dict[str, int] = {}
    for index, spec in enumerate(specs):
        first = firsts.setdefault(spec.name, index)
        if first != index:
            raise InvalidRequest(
                f"tools[{first}] and tools[{index}] are both named {spec.name!r}; rename one",
                param=f"tools[{index}].function.name",
            )


def _call_rule(spec: ToolSpec, index: int) -> str:
    before = json.dumps(f'{{"name": {json.dumps(spec.name)}, "arguments": ')
    return f'{before} %json {_arguments_schema(spec, index)} "}}"'


def _arguments_schema(spec: ToolSpec, index: int) -> str:
    param = f"tools[{index}].function.parameters"
    stated = spec.parameters.get("type", "object")
    if stated != "object":
        raise InvalidRequest(f"the 'type' of parameters must be 'object', not {stated!r}", param=param)
    try:
        return embedded_schema({**_parameters(spec), "type": "object"}, param=param)
    except InvalidRequest:
        if spec.is_strict:
            raise
        return any_object()


def _parameters(spec: ToolSpec) -> Mapping[str, Any]:
    return spec.parameters or {"type": "object", "properties": {}}


def _as_openai(spec: ToolSpec) -> dict[str, Any]:
    described = {"description": spec.description} if spec.description else {}
    return {"type": "function", "function": {"name": spec.name, **described, "parameters": _parameters(spec)}}


def _arguments(text: str) -> Mapping[str, Any] | str:
    """An object, or the text itself where it is none."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
