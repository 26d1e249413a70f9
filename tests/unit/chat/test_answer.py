"""One answer's tokens to deltas: log-probabilities with their text, calls with their ids, thoughts with their ends."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_vocabulary import tiny_tokenizer

from autoglm_phone.chat.answer import Answer, AnswerForm, TextDelta
from autoglm_phone.chat.delta import ContentDelta, ReasoningDelta, TokenLog, ToolCallDelta
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import FinishReason, TokenEvent, TokenLogprobs

TOKENIZER = tiny_tokenizer()
CALL = '<tool_call>\n{"name": "tap", "arguments": {"x": 1}}\n</tool_call>'


def event(text: str, finish: FinishReason | None = None) -> TokenEvent:
    tokens = tuple(map(TokenId, text.encode()))
    logs = tuple(TokenLogprobs(-float(token), ((token, -0.5),)) for token in tokens)
    return TokenEvent(tokens, finish, logprobs=logs)


def told(form: AnswerForm, *pieces: str, finish: FinishReason = "stop") -> tuple[list[TextDelta], Answer]:
    answer = Answer(form, TOKENIZER)
    deltas = [delta for piece in pieces for delta in answer.push(event(piece))]
    if answer.finish is None:
        deltas += answer.push(TokenEvent((), finish))
    return deltas, answer


def logs_of(deltas: Sequence[TextDelta]) -> list[TokenLog]:
    return [log for delta in deltas if isinstance(delta, ContentDelta) for log in delta.logs]


def content(deltas: Sequence[TextDelta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, ContentDelta))


@given(st.text(max_size=30), st.integers(1, 7))
def test_every_token_of_the_text_is_told_once_in_order_and_with_its_place(text: str, size: int) -> None:
    data = text.encode()
    answer = Answer(AnswerForm(is_raw=True, wants_logs=True), TOKENIZER)
    deltas: list[TextDelta] = []
    for start in range(0, len(data), size):
        part = data[start : start + size]
        logs = tuple(TokenLogprobs(-1.0) for _ in part)
        deltas += answer.push(TokenEvent(tuple(map(TokenId, part)), logprobs=logs))
    deltas += answer.push(TokenEvent((), "stop"))
    told_logs = logs_of(deltas)
    assert b"".join(log.chosen.data for log in told_logs) == data
    assert content(deltas) == text
    begun = [log.offset for log in told_logs]
    assert begun == [len(data[:index].decode(errors="ignore")) for index in range(len(data))]


def test_tokens_behind_a_stop_string_are_not_told() -> None:
    deltas, answer = told(AnswerForm(stop=("STOP",), wants_logs=True), "one ST", "OP two")
    assert content(deltas) == "one "
    assert b"".join(log.chosen.data for log in logs_of(deltas)) == b"one "
    assert answer.finish == "stop"


def test_the_likeliest_tokens_come_with_each() -> None:
    [first, *_] = logs_of(told(AnswerForm(wants_logs=True), "ab")[0])
    assert (first.chosen.data, first.chosen.logprob, first.top[0].data) == (b"a", -97.0, b"a")


def test_a_thoughts_tokens_are_not_told() -> None:
    deltas, _ = told(AnswerForm(wants_logs=True), "<think>hm", " so</think>", "Yes")
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["hm", " so"]
    assert content(deltas) == "Yes"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_calls_are_told_however_they_are_cut(sizes: list[int]) -> None:
    text = f"Here:\n{CALL}\n{CALL}"
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    deltas, answer = told(AnswerForm(tool_names=frozenset({"tap"})), *pieces, text[at:])
    calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert content(deltas).strip() == "Here:"
    for index in (0, 1):
        own = [call for call in calls if call.index == index]
        assert (own[0].name, bool(own[0].id)) == ("tap", True)
        assert all(call.id is None and call.name is None for call in own[1:])
        assert "".join(call.arguments for call in own) == '{"x": 1}'
    assert len({call.id for call in calls if call.id}) == 2
    assert answer.finish == "tool_calls"


def test_a_call_that_is_cut_by_length_says_so() -> None:
    _, answer = told(AnswerForm(tool_names=frozenset({"tap"})), CALL[:40], finish="length")
    assert answer.finish == "length"


def test_without_tools_a_call_is_text() -> None:
    deltas, answer = told(AnswerForm(), CALL)
    assert content(deltas) == CALL
    assert answer.finish == "stop"


@pytest.mark.parametrize("text", ["<think>a</think>b", "<answer>x</answer>", "</think>y"])
def test_a_raw_text_is_left_as_it_is(text: str) -> None:
    assert content(told(AnswerForm(is_raw=True), text)[0]) == text
