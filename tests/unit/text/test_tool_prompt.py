"""What an answer that may call tools looks like: what its grammar takes and what it does not."""

import json

import pytest
from grammar_walker import accepts, begins, random_answer
from jsonschema import validate

from autoglm_phone.core.conversation import ToolSpec
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.tool_calls import CallPiece, ToolCallParser
from autoglm_phone.text.tool_prompt import tools_grammar

FIND = ToolSpec("find", "", {"type": "object", "properties": {"q": {"type": "integer"}}, "required": ["q"]})
NOW = ToolSpec("now")
SPECS = (FIND, NOW)
BARE = '{"name": "find", "arguments": {"q": 1}}'
CALL = f"<tool_call>\n{BARE}\n</tool_call>"
OTHER = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
WRONG = BARE.replace("1", '"one"')


def grammar(*, only: str | None = None, is_required: bool = False, is_parallel: bool = True) -> str:
    return tools_grammar(SPECS, only=only, is_required=is_required, is_parallel=is_parallel)


@pytest.mark.parametrize(
    "text", ["", "Hello.", CALL, f"Well.\n{CALL}", f"{CALL}\n{OTHER}", BARE, f"{BARE}\n{BARE}", '{"name": "say"}', "{"]
)
def test_what_a_free_answer_may_be(text: str) -> None:
    assert accepts(grammar(), text)


@pytest.mark.parametrize(
    "text",
    [
        CALL.replace("find", "say"),
        CALL.replace("1", '"one"'),
        f"{CALL} and",
        f"text <tool_call>{BARE}",
        WRONG,
        f" {BARE}",
        f"{BARE} and",
        f"{WRONG[:-3]}\n{CALL}",
    ],
)
def test_what_a_free_answer_may_not_be(text: str) -> None:
    assert not accepts(grammar(), text)


def test_a_required_call_is_all_there_is() -> None:
    required = grammar(is_required=True)
    assert accepts(required, CALL)
    assert accepts(required, f"{CALL}\n{OTHER}")
    for text in ("", "Hello", BARE, f"Well.\n{CALL}"):
        assert not accepts(required, text)
    assert not begins(grammar(only="now"), CALL[:30])
    assert accepts(grammar(only="now"), OTHER)


def test_one_call_at_a_time() -> None:
    for is_required in (True, False):
        single = grammar(is_required=is_required, is_parallel=False)
        assert accepts(single, CALL)
        assert not begins(single, f"{CALL}\n<")
    assert not accepts(grammar(is_parallel=False), f"{BARE}\n{BARE}")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_written_under_the_grammar_is_read_as_valid_calls(seed: int) -> None:
    text = random_answer(grammar(is_required=seed % 2 == 0), seed)
    parser = ToolCallParser({spec.name for spec in SPECS})
    calls: dict[int, list[str]] = {}
    for piece in parser.push(text, final=True):
        if isinstance(piece, CallPiece):
            calls.setdefault(piece.index, ["", ""])
            calls[piece.index][0] += piece.name
            calls[piece.index][1] += piece.arguments
    for name, arguments in calls.values():
        schema = {spec.name: spec.parameters or {"type": "object"} for spec in SPECS}[name]
        validate(json.loads(arguments), schema)
    assert calls or seed % 2


def test_a_schema_that_cannot_be_followed_is_refused_only_if_it_is_strict() -> None:
    odd = {"type": "object", "properties": {"x": {"not": {"type": "string"}}}}
    loose = tools_grammar([ToolSpec("f", "", odd)], only=None, is_required=True, is_parallel=False)
    assert accepts(loose, '<tool_call>\n{"name": "f", "arguments": {"any": [1]}}\n</tool_call>')
    with pytest.raises(InvalidRequest, match="not") as refused:
        tools_grammar([ToolSpec("f", "", odd, is_strict=True)], only=None, is_required=True, is_parallel=False)
    assert refused.value.param == "tools[0].function.parameters"


def test_names_must_differ() -> None:
    with pytest.raises(InvalidRequest) as refused:
        tools_grammar([NOW, NOW], only=None, is_required=False, is_parallel=True)
    assert refused.value.param == "tools[1].function.name"
