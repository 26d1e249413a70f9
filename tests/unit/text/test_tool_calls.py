"""Calls come out of an answer whole, however it is cut; whatever is no call stays text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_streams import cut_texts

from autoglm_phone.text.tool_calls import CallPiece, ContentPiece, ToolCallParser

NAMES = ("find", "now")
CALL = '<tool_call>\n{"name": "find", "arguments": {"q": "x"}}\n</tool_call>'
NOW = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'

Said = str | tuple[str, str]
"""Content, or the name of a call and its arguments."""


def pushed(pieces: list[str]) -> list[ContentPiece | CallPiece]:
    parser = ToolCallParser(NAMES)
    out = [piece for text in pieces for piece in parser.push(text)]
    return [*out, *parser.push("", final=True)]


def joined(out: list[ContentPiece | CallPiece]) -> list[Said]:
    said: list[Said] = []
    calls = 0
    for piece in out:
        last = said[-1] if said else None
        match piece:
            case ContentPiece(text):
                said[len(said) - isinstance(last, str) :] = [(last if isinstance(last, str) else "") + text]
            case CallPiece(index, name, "") if name:
                assert index == calls  # numbered in order, and the name comes first
                calls += 1
                said.append((name, ""))
            case CallPiece(index, "", arguments):
                assert isinstance(last, tuple)
                assert index == calls - 1
                assert arguments
                said[-1] = (last[0], last[1] + arguments)
            case _:
                pytest.fail(f"{piece} has both or nothing")
    return said


def parsed(text: str) -> list[Said]:
    whole = joined(pushed([text]))
    assert joined(pushed(list(text))) == whole
    return whole


blocks = ("<tool_call>", "</tool_call>", '{"name": "find", "arguments": {', '"q": "x"', "}}", '{"name": "', CALL, NOW)
fragments = st.sampled_from([*blocks, "find", '"arguments": ', '"parameters": "{\\"q\\"', *'"{}[]:,\\<1好 \n'])


@settings(deadline=None)
@given(cut_texts(st.lists(fragments, max_size=12).map("".join)))
def test_the_output_does_not_depend_on_the_cuts(pieces: list[str]) -> None:
    assert joined(pushed(pieces)) == joined(pushed(["".join(pieces)]))


@settings(deadline=None)
@given(cut_texts(st.text("<tool_cal>/{}\"' \n", max_size=40)))
def test_text_without_a_call_comes_out_as_it_is(pieces: list[str]) -> None:
    assert "".join(joined(pushed(pieces))) == "".join(pieces)  # type: ignore[arg-type]  # a call would be a tuple


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("</tool_call>"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.dictionaries(st.text(), json_values, max_size=3))), st.data())
def test_any_calls_come_back(calls: list[tuple[str, dict[str, object]]], data: st.DataObject) -> None:
    blocks = [
        "<tool_call>\n" + json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False) + "\n</tool_call>"
        for name, arguments in calls
    ]
    pieces = data.draw(cut_texts(st.just("\n".join(["Let me see.", *blocks]))))
    expected = [(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in calls]
    assert joined(pushed(pieces)) == ["Let me see.", *expected]


FIND = ("find", '{"q": "x"}')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", ["hello"]),
        ("  hello \n", ["  hello \n"]),
        (CALL, [FIND]),
        (f"\n\n{CALL}\n", [FIND]),
        (f"I look.\n\n{CALL}\n{NOW} \n", ["I look.", FIND, ("now", "{}")]),
        (f"I look.{CALL}Well? {NOW}So.", ["I look.", FIND, "Well?", ("now", "{}"), "So."]),
        # Other orders, names and spaces
        ('<tool_call>{"arguments":{"q":"x"},"name":"find"}</tool_call>', [("find", '{"q":"x"}')]),
        ('<tool_call>{"name":"find","parameters":{"q":"x"}}</tool_call>', [("find", '{"q":"x"}')]),
        ('<tool_call>{"id":7,"name":"find","arguments":{}, "x":[{}]}</tool_call>', [("find", "{}")]),
        ('<tool_call>{"na\\u006de":"fi\\u006ed","arguments":{}}</tool_call>', [("find", "{}")]),
        ('<tool_call>{"name":"find","arguments":{},"arguments":{"b":1},"name":"now"}</tool_call>', [("find", "{}")]),
        ('<tool_call>{"name":"now"}</tool_call>', [("now", "{}")]),
        # Tags within strings are data
        ('<tool_call>{"name":"find","arguments":{"q":"</tool_call>"}}', [("find", '{"q":"</tool_call>"}')]),
        ('<tool_call>{"arguments":{"q":"<tool_call>"},"name":"find"}', [("find", '{"q":"<tool_call>"}')]),
        # Encoded twice
        ('<tool_call>{"name":"find","arguments":"{\\"q\\":\\"x\\"}"}</tool_call>', [("find", '{"q":"x"}')]),
        ('<tool_call>{"arguments":"{\\"q\\":1}","name":"find"}</tool_call>', [("find", '{"q":1}')]),
        ('<tool_call>{"name":"find","arguments":"q"}</tool_call>', [("find", '"q"')]),
        # Arguments that are no object: the call was sent with its name, so they are handed over as they are
        ('<tool_call>{"name":"find","arguments":null}</tool_call>', [("find", "null")]),
        ('<tool_call>{"name":"find","arguments":[1, {"a":2}]}</tool_call>', [("find", '[1, {"a":2}]')]),
        ('<tool_call>{"name":"find","arguments":12', [("find", "12")]),
        # Cut off
        ('<tool_call>{"name":"find"', [("find", "")]),
        ('<tool_call>{"name":"find","arguments":{"q":"Par', [("find", '{"q":"Par')]),
        ('<tool_call>{"name":"find","arguments":{"q":1}', [("find", '{"q":1}')]),
        ('<tool_call>{"name":"find","arguments":"{\\"q\\": \\"\\u00', [("find", '{"q": "')]),
        (f"{CALL}</tool", [FIND, "</tool"]),
        (CALL[:-4], [FIND]),
        (CALL[: -len("</tool_call>")], [FIND]),
        ("see <tool_ca", ["see <tool_ca"]),
        # Closing tags or braces too many or too few
        ('<tool_call>{"name":"find","arguments":{"q":"x"}</tool_call>z', [("find", '{"q":"x"}'), "z"]),
        ('<tool_call>{"name":"find","arguments":{}}}}</tool_call>z', [("find", "{}"), "z"]),
        ('<tool_call>{"name":"find","arguments":{}}\n' + NOW, [("find", "{}"), ("now", "{}")]),
        ('<tool_call>{"name":"find","arguments":{}}\nand more', [("find", "{}"), "and more"]),
        ('<tool_call>{"name":"find", oops}</tool_call>z', [("find", ""), "z"]),
        # No calls
        ("<tool_call>", ["<tool_call>"]),
        ("a \n<tool_call>\n", ["a \n<tool_call>\n"]),
        ("<tool_call>oops</tool_call>", ["<tool_call>oops</tool_call>"]),
        ('a <tool_call> {"nam', ['a <tool_call> {"nam']),
        ("<tool_call>{}</tool_call>", ["<tool_call>{}</tool_call>"]),
        ('<tool_call>{"arguments":{}}</tool_call>', ['<tool_call>{"arguments":{}}</tool_call>']),
        (
            '<tool_call>{"name":"rm","arguments":{}}</tool_call>',
            ['<tool_call>{"name":"rm","arguments":{}}</tool_call>'],
        ),
        ('<tool_call>{"name":{"find":1}}</tool_call>', ['<tool_call>{"name":{"find":1}}</tool_call>']),
        ('<tool_call>["find"]</tool_call>', ['<tool_call>["find"]</tool_call>']),
        ('<tool_call>{"name" "find"}', ['<tool_call>{"name" "find"}']),
        ('<tool_call>{"\\x":1}', ['<tool_call>{"\\x":1}']),
        # A call behind something that is none
        (f"<tool_call>\n{CALL}", ["<tool_call>", FIND]),
        (f"<tool_call>oops</tool_call>\n{CALL}", ["<tool_call>oops</tool_call>", FIND]),
        ('{"a": [<tool_call>{"a": [' + CALL, ['{"a": [<tool_call>{"a": [', FIND]),
        (f"{CALL}\n<tool_call>oops", [FIND, "<tool_call>oops"]),
    ],
)
def test_the_forms_that_models_write(text: str, expected: list[Said]) -> None:
    assert parsed(text) == expected


def test_arguments_are_given_out_as_they_come_and_the_name_before_them() -> None:
    parser = ToolCallParser(NAMES)
    pieces = ["Well", ".\n<tool", '_call>\n{"name": "fi', 'nd"', ', "arguments": {"q', '": "x', '"}', "}\n</tool_call>"]
    assert [parser.push(piece) for piece in pieces] == [
        [ContentPiece("Well")],
        [ContentPiece(".")],
        [],
        [CallPiece(0, name="find")],
        [CallPiece(0, arguments='{"q')],
        [CallPiece(0, arguments='": "x')],
        [CallPiece(0, arguments='"}')],
        [],
    ]
    assert parser.num_calls == 1


def test_hostile_nesting_takes_no_more_steps_than_letters() -> None:
    """Every open block is given up at the next tag, so that none is read twice."""
    text = '<tool_call>{"a":[' * 5_000
    assert joined(pushed([text])) == [text]
    assert joined(pushed(['<tool_call>{"name":"find","arguments":' + "[" * 50_000])) == [("find", "[" * 50_000)]


BARE = '{"name": "find", "arguments": {"q": "x"}}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BARE, [("find", '{"q": "x"}')]),
        (f"\n {BARE}\n", [("find", '{"q": "x"}')]),
        (f'{BARE}\n{{"name": "now", "arguments": {{}}}}', [("find", '{"q": "x"}'), ("now", "{}")]),
        (f"{BARE}\n{NOW}", [("find", '{"q": "x"}'), ("now", "{}")]),
        (f"{BARE} Done.", [("find", '{"q": "x"}'), "Done."]),
        ('{"name": "say", "arguments": {}}', ['{"name": "say", "arguments": {}}']),
        ('{"a": 1}', ['{"a": 1}']),
        (f"So: {BARE}", [f"So: {BARE}"]),
        (f"{CALL}\n{BARE}", [("find", '{"q": "x"}'), BARE]),
        (f'{{"a": 1}} {CALL}', ['{"a": 1}', ("find", '{"q": "x"}')]),
    ],
)
def test_an_answer_may_begin_with_calls_that_have_no_tags(text: str, said: list[Said]) -> None:
    assert parsed(text) == said
