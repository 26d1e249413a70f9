"""Patterns match only what ECMA-262 and Python's re both match; Python's re is at hand to judge by."""

import re

import pytest
from grammar_walker import accepts, random_answer

from autoglm_phone.text.grammar import regex_grammar
from autoglm_phone.text.grammar.regex_dialect import PatternError, to_rust


@pytest.mark.filterwarnings("ignore:Possible")  # Python announces that it may read some sets as Rust does
@pytest.mark.parametrize(
    "pattern",
    [
        "a|bc|",
        "[a-c]+\\d{2,3}",
        "(?:ab)*?c{2}",
        "(?P<year>\\d{4})-(?P<month>\\d\\d)",
        "\\$\\d+(\\.\\d{2})?",
        "\\w\\W\\s\\S\\d\\D",
        "[\\w]+[\\W][\\s][\\S][\\d][\\D]",
        "[^\\w][^\\W][^\\s][^\\S][^\\d][^\\D]",
        "[\\w.-]+@[\\w-]+",
        "[-a][a-][\\]][[]",
        "[[&&~~||/-]+",
        "[+--]+",
        "[\\]\\\\^]+",
        "[a^]",
        "a{x}",
        "{}",
        "a{",
        "}]",
        "\\x41\\u597d",
        "[\\u4e00-\\u9fff]{1,3}",
        "[\\x00-\\x1f]a",
        "\\/\\-\\@\\<\\>\\#\\!",
        ".{3}",
        "[\\s\\S]*",
        "^(a|b)$",
        "(((a)))?",
        "é+好?",
        " a\tb",
        "[\\b]?x",
        "()|a",
        "\\n\\r\\t\\f",
    ],
)
def test_whatever_matches_is_matched_by_python(pattern: str) -> None:
    grammar = regex_grammar(pattern, param="regex")
    for seed in range(25):
        text = random_answer(grammar, seed, patience=10)
        assert re.fullmatch(pattern, text), text


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        ("\\d", ["0", "9"], ["٣"]),
        ("\\D", ["a", "好"], ["1", "٣"]),
        ("\\w", ["a", "_"], ["é", "-"]),
        ("\\W", ["-", " "], ["a", "é", "好", "½"]),
        ("\\s", [" ", "\n", "\u3000"], ["\u0085", "\ufeff", "a"]),
        ("\\S", ["a", "好"], [" ", "\u0085", "\ufeff", "\u2028"]),
        (".", ["a", "好"], ["\n", "\r", "\u2028"]),
        ("[^\\d]", ["a"], ["1", "٣"]),
        ("[^\\S]", [" "], ["a", "\ufeff"]),
        ("[a-z&&[^b]]", ["a]", "&]", "[]", "b]", "^]"], ["a", "c"]),
        ("[+--]", ["+", ",", "-"], ["a", "."]),
        ("\\<a\\>", ["<a>"], ["a"]),
        ("a{2}", ["aa"], ["a", "aaa"]),
        ("a\\{,2}b", ["a{,2}b"], ["aab"]),
        ("^ab$", ["ab"], ["^ab$"]),
        ("(?<year>\\d+)(?:x)", ["1x"], ["x"]),
        ("\\p{Lu}\\P{L}", ["A1"], ["a1", "AB"]),
        ("\\p{Script=Han}", ["好"], ["a"]),
        ("\\u{1F600}", ["😀"], ["u"]),
        ("a/b", ["a/b"], ["a"]),
    ],
)
def test_what_is_matched(pattern: str, matched: list[str], not_matched: list[str]) -> None:
    grammar = regex_grammar(pattern, param="regex")
    assert [text for text in matched if not accepts(grammar, text)] == []
    assert [text for text in not_matched if accepts(grammar, text)] == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?=a)b", "looks ahead or behind"),
        ("(?!a)b", "looks ahead or behind"),
        ("(?<=a)b", "looks ahead or behind"),
        ("(?<!a)b", "looks ahead or behind"),
        ("(a)\\1", "refers back to a group"),
        ("(?P<x>a)(?P=x)", "refers back to a group"),
        ("(?<x>a)\\k<x>", "refers back to a group"),
        ("(?i)a", "flags are not either"),
        ("(?i:a)", "a group that begins with '(?i:'"),
        ("(?>a)", "a group that begins with '(?>a'"),
        ("\\bword\\b", "word boundary"),
        ("\\Aa\\Z", "the escape '\\A'"),
        ("\\cA", "the escape '\\c'"),
        ("\\0", "the escape '\\0'"),
        ("\\v", "the escape '\\v'"),
        ("a\x00", "control character '\\x00'"),
        ("\\x1f", "control character '\\x1f'"),
        ("[\\x01\\x02]", "control characters only"),
        ("\\ud83d\\ude00", "which is no character"),
        ("\\u{110000}", "which is no character"),
        ("\ud800", "half of a surrogate pair"),
        ("[]a]", "read in two ways"),
        ("[^]", "read in two ways"),
        ("a{,3}", "read in two ways"),
        ("[a", "a class that is not closed"),
        ("[z-a]", "a range from 'z' back to 'a'"),
        ("(a", "an opening bracket too many"),
        ("a)", "a closing bracket too many"),
        ("*a", "repeats nothing"),
        ("{2}", "repeats nothing"),
        ("(*a)", "repeats nothing"),
        ("^*", "repeats '^'"),
        ("a|*", "repeats '|'"),
        ("a**", "repeats a repetition"),
        ("a++", "repeats a repetition"),
        ("a{2}{3}", "repeats a repetition"),
        ("a\\", "ends with a backslash"),
        ("a" * 4001, "has 4001 characters, the limit is 4000"),
        ("a{10001}", "repeats something 10001 times, the limit is 10000"),
        ("(a{1000}){1000}", "stands for 101000 letters when its repetitions are written out, the limit is 2000"),
        ("((ab){30}){40}", "the limit is 2000"),
        ("ab" * 1001, "stands for 2002 letters"),
    ],
)
def test_what_cannot_be_kept_to_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(PatternError) as caught:
        to_rust(pattern)
    assert words in str(caught.value)
