import json

import pytest
from grammar_walker import accepts, random_answer

from autoglm_phone.text.grammar import ebnf_grammar
from autoglm_phone.text.grammar.gbnf import GbnfError, is_gbnf, to_lark

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


def grammar_of(text: str) -> str:
    return ebnf_grammar(text, param="grammar")


def test_the_grammar_of_json_that_llama_cpp_ships() -> None:
    grammar = grammar_of(JSON_GBNF)
    assert accepts(grammar, '{"a": [1.5e3, "x\\n\\u00e9", {}], "b":null}')
    assert not accepts(grammar, '{"a": }')
    for seed in range(20):
        json.loads(random_answer(grammar, seed))


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
        ('root ::= ([0-9]+)? "x"', ["x", "12x"], ["12"]),
        ('root ::= (("a"{2}){2})+', ["aaaa", "a" * 8], ["aa"]),
        ('root ::= "a" # one\n     | "b|" # "two\n\n  | "c"', ["a", "b|", "c"], []),
        ('root ::= "a#" |\n "b"\r\nother ::= "c"', ["a#", "b"], []),
        ('root ::= start a-b a_b A_B\nstart ::= "0"\na-b ::= "1"\na_b ::= "2"\nA_B ::= "3"', ["0123"], []),
        ("root ::= .", ["a", "\n", "好"], ["", "ab"]),
        ('root ::= "/[]" [/] "\\[\\]"', ["/[]/[]"], []),
        ('root ::= "" | "it\'s\t"', ["", "it's\t"], []),
        ('root ::= expression\nexpression ::= "x" | expression "+" expression', ["x+x+x"], ["x+"]),
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
        ('a ::= "x"', "it has no rule 'root'"),
        ("root ::= b", "there is no rule 'b'"),
        ('root ::= "a', "Unexpected end of input"),
        ("root ::= [a", "Unexpected end of input"),
        ("root ::= [\\", "string index out of range"),
        ('root ::= "\\q"', "Invalid escape sequence"),
        ('root ::= "\\UFFFFFFFF"', "\\UFFFFFFFF is no character"),
        ("root ::= [\\ud800-\\udfff]", "\\ud800 is no character"),
        ('root ::= ("a"', "Expected ')'"),
        ("root ::= [z-a]", "a class of letters has a range from 'z' back to 'a'"),
        ("root ::= " + "(" * 3000, "nested too deeply"),
        ("\n".join(f'r{i} ::= "a"' for i in range(401)), "it has 401 rules, the limit is 400"),
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(GbnfError) as caught:
        to_lark(text)
    assert words in str(caught.value)


def test_a_grammar_is_told_by_its_rules() -> None:
    assert is_gbnf("# a grammar\n  root-1  ::= x")
    assert not is_gbnf('start: "::=" // ::=\n')
