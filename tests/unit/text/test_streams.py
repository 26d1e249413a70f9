"""The stream parsers: however the input is cut, the joined output is the same, and nothing leaks."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.core.ids import TokenId
from autoglm_phone.text.reasoning import ReasoningParser
from autoglm_phone.text.stop import StopMatcher
from autoglm_phone.text.stream_decoder import StreamDecoder

tagged = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<answer>", "</answer>", "<th", "ink>", "<", ">", "/", " ", "\n", "a", "好"]
    )
).map("".join)


@st.composite
def cut_texts(draw: st.DrawFn, texts: st.SearchStrategy[str] = tagged) -> list[str]:
    """A text in pieces; joined they are the text."""
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[low:high] for low, high in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def split(pieces: list[str], *, starts_inside: bool) -> tuple[str, str]:
    parser = ReasoningParser(starts_inside=starts_inside)
    done = [parser.push(piece) for piece in pieces] + [parser.push("", final=True)]
    return "".join(part.reasoning for part in done), "".join(part.content for part in done)


@given(cut_texts(), st.booleans())
def test_reasoning_does_not_depend_on_the_cuts_and_nothing_is_lost(pieces: list[str], starts_inside: bool) -> None:
    whole = "".join(pieces)
    reasoning, content = split(pieces, starts_inside=starts_inside)
    assert (reasoning, content) == split([whole], starts_inside=starts_inside)
    given_out = Counter("".join((reasoning + content).split()))
    assert Counter(re.sub(r"</?(?:think|answer)>|\s", "", whole)) <= given_out <= Counter(whole)


@pytest.mark.parametrize(
    ("said", "starts_inside", "expected"),
    [
        ("<think>why</think>\n\nthat", False, ("why", "that")),
        ("\n <think>\nwhy</think>that", False, ("why", "that")),
        ("why\n</think>that", True, ("why\n", "that")),
        ("<think>\nwhy</think>that", True, ("why", "that")),
        ("<think>why</think><answer>do(x)</answer>", False, ("why", "do(x)")),
        ("<answer>\ndo(x)</answer>\n", False, ("", "do(x)")),
        ("why <answer>that</answer></think>", True, ("why ", "that")),
        ("<think>a</think><think>b</think>c", False, ("ab", "c")),
        ("never closed", True, ("never closed", "")),
        ("<think>never <closed </thin", False, ("never <closed </thin", "")),
        ("</think>that", False, ("", "that")),
        ("  indented, a < b\n", False, ("", "  indented, a < b\n")),
        ("<thin air", False, ("", "<thin air")),
        ("Put it between <think> and </think>.", False, ("", "Put it between <think> and </think>.")),
        ("<think>x</think>Write <answer>.", False, ("x", "Write <answer>.")),
        ("", False, ("", "")),
        (" \n", False, ("", " \n")),
    ],
)
def test_the_forms_that_models_write(said: str, starts_inside: bool, expected: tuple[str, str]) -> None:
    assert split([said], starts_inside=starts_inside) == expected
    assert split(list(said), starts_inside=starts_inside) == expected


@given(cut_texts(st.text("abc", max_size=20)), st.lists(st.text("abc", max_size=5), max_size=4))
def test_a_text_ends_before_the_stop_string_that_is_complete_first(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    matcher = StopMatcher(stops)
    given_out = "".join([*(matcher.push(piece) for piece in pieces), matcher.push("", final=True)])
    ends = [end for end in range(len(whole) + 1) if any(stop and whole[:end].endswith(stop) for stop in stops)]
    assert matcher.has_stopped == bool(ends)
    if not ends:
        assert given_out == whole
        return
    head = whole[: ends[0]]
    assert given_out == head[: -max(len(stop) for stop in stops if stop and head.endswith(stop))]


def test_a_stop_string_over_a_border_is_held_back() -> None:
    matcher = StopMatcher(["abcd", "bc"])
    assert [matcher.push(piece) for piece in ("xa", "b", "b", "cd")] == ["x", "", "ab", ""]
    assert matcher.has_stopped


@given(st.text(), st.lists(st.integers(0, 60), max_size=5))
def test_a_character_is_given_out_whole(text: str, cuts: list[int]) -> None:
    data = text.encode()
    edges = sorted(min(cut, len(data)) for cut in cuts)
    decoder = StreamDecoder(lambda token: bytes([token]))
    runs = [data[low:high] for low, high in zip([0, *edges], [*edges, len(data)], strict=True)]
    out = [decoder.push([TokenId(byte) for byte in run]) for run in runs]
    assert "".join([*out, decoder.push([], final=True)]) == text
    assert not any("�" in piece for piece in out) or "�" in text
