"""Sentences of a stream."""

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.text.sentence_splitter import SentenceSplitter
from autoglm_phone.text.speakable import speakable


def split(text: str) -> list[str]:
    splitter = SentenceSplitter()
    return splitter.push(text) + splitter.push("", final=True)


def test_sentences_are_cut_behind_their_marks() -> None:
    assert split("Hello there. How are you? Fine!") == ["Hello there. ", "How are you? ", "Fine!"]
    assert split("你好。你在哪里？我在这里。") == ["你好。", "你在哪里？", "我在这里。"]
    assert split('He said "No." Then he left.') == ['He said "No." ', "Then he left."]


def test_what_ends_no_sentence_cuts_none() -> None:
    assert split("Dr. Smith paid 3.50 e.g. to J. Doe.") == ["Dr. Smith paid 3.50 e.g. to J. Doe."]
    assert split("1. First\n2. Second") == ["1. First\n", "2. Second"]


def test_a_text_without_marks_is_cut_at_commas_and_spaces() -> None:
    parts = split("word, " * 60)
    assert len(parts) > 1
    assert all(part.endswith(", ") for part in parts)
    assert max(map(len, split("x" * 1000))) == 200


@given(st.text("ab. ,!?\n。，！1", max_size=300), st.lists(st.integers(0, 20), max_size=20))
def test_however_it_is_cut_the_sentences_are_the_same(text: str, cuts: list[int]) -> None:
    splitter, parts, start = SentenceSplitter(), list[str](), 0
    for length in cuts:
        parts += splitter.push(text[start : start + length])
        start += length
    parts += splitter.push(text[start:]) + splitter.push("", final=True)
    assert "".join(parts) == text
    assert parts == split(text)


def test_markdown_is_not_spoken() -> None:
    assert speakable("## **Bold** and `code`, [a link](http://x.y/z)") == "Bold and code, a link"
    assert speakable("```python\nprint(1)\n```") == ""
    assert speakable("| a | b |\n|---|---|") == ""
    assert speakable("- one\n- two") == "one\ntwo"
    assert speakable("---") == ""
    assert speakable("2 * 3 * 4 = 24") == "2 * 3 * 4 = 24"
