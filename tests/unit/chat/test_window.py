import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.chat.chat_request import Truncation
from autoglm_phone.chat.window import KEPT_SHARE, TurnSize, num_dropped_turns
from autoglm_phone.core.errors import ContextLengthExceeded

FIXED, LIMIT = 20, 100
growing = st.lists(st.integers(1, LIMIT - FIXED), min_size=1, max_size=30)


def turns(sizes: list[int]) -> list[TurnSize]:
    return [TurnSize(size, 2) for size in sizes]


def cut(sizes: list[int]) -> int:
    return num_dropped_turns(FIXED, turns(sizes), LIMIT, "auto")


@given(growing)
def test_auto_never_exceeds_the_limit_and_keeps_the_newest_turn(sizes: list[int]) -> None:
    first = cut(sizes)
    assert FIXED + sum(sizes[first:]) <= LIMIT
    assert first < len(sizes)


@given(growing)
def test_nothing_is_dropped_as_long_as_everything_fits(sizes: list[int]) -> None:
    if FIXED + sum(sizes) <= LIMIT:
        assert cut(sizes) == 0


@given(growing)
def test_the_cut_of_a_growing_dialogue_only_moves_when_it_must_and_then_far_enough(sizes: list[int]) -> None:
    before = 0
    for count in range(1, len(sizes) + 1):
        now = cut(sizes[:count])
        assert now >= before
        if FIXED + sum(sizes[before:count]) <= LIMIT:
            assert now == before  # the prefix stays, and with it the cache
        else:
            kept = FIXED + sum(sizes[now:count])
            assert kept <= LIMIT * KEPT_SHARE or now == count - 1
        before = now


@given(growing, st.integers(1, 10))
def test_an_answer_that_makes_the_newest_turn_longer_keeps_the_cut_monotone(sizes: list[int], asked: int) -> None:
    """The newest turn is first seen with its question alone, and with its answer one request later."""
    question_only = [*sizes[:-1], min(asked, sizes[-1])]
    assert cut(question_only) <= cut(sizes)


def test_error_refuses_what_auto_would_cut() -> None:
    assert num_dropped_turns(FIXED, turns([30, 50]), LIMIT, "error") == 0
    with pytest.raises(ContextLengthExceeded, match=r"context_length_exceeded: the prompt has 101 tokens.* 100 .*auto"):
        num_dropped_turns(FIXED, turns([31, 50]), LIMIT, "error")
    assert cut([31, 50]) == 1


def test_a_newest_turn_that_cannot_fit_is_refused_in_both_modes() -> None:
    modes: list[Truncation] = ["auto", "error"]
    for truncation in modes:
        with pytest.raises(ContextLengthExceeded, match=r"context_length_exceeded.*101.*--max-model-len") as refused:
            num_dropped_turns(FIXED, turns([81]), LIMIT, truncation)
        assert refused.value.param == "messages"


def test_a_system_prompt_alone_may_fill_the_window_up() -> None:
    assert num_dropped_turns(LIMIT, [], LIMIT, "auto") == 0
