import pytest
from grammar_walker import accepts

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar import ebnf_grammar

LARK = r"""
%llguidance {}
start: "SELECT " COLUMN (", " COLUMN)* from_part?   // "::=" in a comment
from_part: " FROM <" /[a-z\/]+/ ">"  # <not a token>
COLUMN: /[a-z]+/ & ~/select/
"""


def grammar_of(text: str) -> str:
    return ebnf_grammar(text, param="grammar")


def test_lark_with_what_llguidance_adds_to_it() -> None:
    grammar = grammar_of(LARK)
    assert accepts(grammar, "SELECT a, b FROM <x/y>")
    assert not accepts(grammar, "SELECT select")


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('start: "a"i /b+/', ["abb", "Ab"], ["a"]),
        ("%import common.INT\nstart: INT", ["12"], ["x"]),
        ('start: %json {"properties": {"a": {"const": "%json {"}}} "!"', ['{"a": "%json {"}!', "{}!"], ['{"a":1}!']),
        ('start: %regex {"substring_words": "foo <bar> baz"}', ["foo <bar>"], ["baz foo"]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_understood(text: str, good: list[str], bad: list[str]) -> None:
    grammar = grammar_of(text)
    assert [answer for answer in good if not accepts(grammar, answer)] == []
    assert [answer for answer in bad if accepts(grammar, answer)] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("root ::= b", "the GBNF grammar cannot be read: there is no rule 'b'"),
        ('start: "\ud800"', "half of a surrogate pair"),
        ("", "Empty grammar"),
        ("hello", "the grammar cannot be used"),
        ("start: missing", 'unknown name: "missing"'),
        ("start: @second", "unknown grammar @second"),
        ('rule: "a"', "the grammar cannot be used"),
        ("start: <|im_end|>", "names a token with '<...>'"),
        ('start: "a" <[1-5]>', "names a token with '<...>'"),
        ('start[temperature=0.5]: "a"', "'temperature=', which is not supported"),
        ("start[max_tokens=3]: /a+/", "'max_tokens=', which is not supported"),
        ('start[capture, stop="x"]: /a+/', "'stop=', which is not supported"),
        ('start: %json {"not": {}}', "'not' is not supported (at #)"),
        ('start: %json {"x-guidance": {"lenient": true}, "not": {}}', "'not' is not supported (at #)"),
        ('start: %json "a"', "a schema is an object, true or false, not str"),
        ("start: %json {", "no JSON behind '%json'"),
        ("start: %json " + "[" * 40_000, "no JSON behind '%json'"),
        ("start: " + "(" * 2000 + '"a"' + ")" * 2000, "too deeply nested"),
        ("start: " + '"a" ' * 20_000, "80007 characters, the limit is 50000"),
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_followed_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        grammar_of(text)
    assert words in caught.value.message
    assert len(caught.value.message) < 700
    assert caught.value.param == "grammar"
