import json

import pytest
from grammar_walker import accepts, random_answer

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar import ebnf_grammar

# json.gbnf of llama.cpp (MIT), the grammar that its users know best
JSON_GBNF = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
"""

LARK = r"""
%llguidance {}
start: "SELECT " COLUMN (", " COLUMN)* from_part?   // "::=" in a comment
from_part: " FROM <" /[a-z\/]+/ ">"  # <not a token>
COLUMN: /[a-z]+/ & ~/select/
"""


def grammar_of(text: str) -> str:
    return ebnf_grammar(text, param="grammar")


def test_the_grammar_of_json_that_llama_cpp_ships() -> None:
    grammar = grammar_of(JSON_GBNF)
    assert accepts(grammar, '{"a": [1.5e3, "x\\n\\u00e9", {}], "b":null}')
    assert not accepts(grammar, '{"a": }')
    for seed in range(20):
        json.loads(random_answer(grammar, seed))


def test_lark_with_what_llguidance_adds_to_it() -> None:
    grammar = grammar_of(LARK)
    assert accepts(grammar, "SELECT a, b FROM <x/y>")
    assert not accepts(grammar, "SELECT select")


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('root ::= "yes" | "no" [0-9]+', ["yes", "no12"], ["no", "maybe"]),
        ('root ::= first-Part SecondPart\nfirst-Part ::= "a"+\nSecondPart ::= [b-d]?', ["aab", "a"], ["b"]),
        ('root ::= "\\"" "\\\\" "\\n" "\\t"', ['"\\\n\t'], []),
        ("root ::= [\\u0041-\\u005A]+ [\\u00e9] [\\U0001F600]", ["AZé😀"], ["aé😀"]),
        ('root ::= "\\u4f60\\u0041\\x42"', ["你AB"], []),
        ("root ::= [^a\\]/-]", ["b", "["], ["a", "]", "/", "-"]),
        ('root ::= ( "a" | "b" ){2,3}', ["ab", "bab"], ["a", "abab"]),
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
        ('a ::= "x"', "No 'root' rule found"),
        ("root ::= b", "Rule 'b' not found"),
        ('root ::= "a', "cannot be read"),
        ("root ::= [a", "cannot be read"),
        ("root ::= [\\", "cannot be read"),
        ('root ::= "\\q"', "Invalid escape sequence"),
        ("root ::= " + "(" * 3000, "cannot be read"),
        ("\n".join(f'r{i} ::= "a"' for i in range(401)), "has 401 rules, the limit is 400"),
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
