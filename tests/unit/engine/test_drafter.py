"""What is guessed, and when that is worth computing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.engine.drafter import LONGEST_MATCH, MIN_MATCH, Drafter, find
from autoglm_phone.engine.step_costs import FIRST_SLOPE, StepCosts

FREE, DEAR = StepCosts(slope=0.0), StepCosts(slope=0.9)


def keys(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def test_the_guess_is_what_followed_before() -> None:
    text = keys(7, 1, 2, 3, 4, 9, 9, 1, 2)
    assert Drafter(len(text) - 1).propose(text, 3, FREE, 1) == [3, 4, 9]


def test_the_longest_agreement_wins_and_then_the_latest() -> None:
    assert find(keys(5, 1, 2, 8, 1, 2, 9, 5, 1, 2)) == (3, 3)
    assert find(keys(4, 1, 2, 8, 6, 1, 2, 9, 5, 1, 2)) == (7, 2)
    assert find(keys(1, 2, 3, 1)) == (None, 0)


@given(st.lists(st.integers(0, 2), max_size=40))
def test_a_place_is_found_if_there_is_one(numbers: list[int]) -> None:
    source, length = find(keys(*numbers))
    end = len(numbers)
    repeats = [
        (agree, place)
        for place in range(1, end)
        for agree in range(MIN_MATCH, min(place, LONGEST_MATCH) + 1)
        if numbers[place - agree : place] == numbers[end - agree :]
    ]
    assert (length, source) == max(repeats, default=(0, None))


def test_a_text_that_repeats_itself_goes_on_in_its_own_guess() -> None:
    text = keys(8, 1, 2, 1, 2)
    assert Drafter(len(text) - 1).propose(text, 5, FREE, 1) == [1, 2, 1, 2, 1]


def test_nothing_is_guessed_out_of_an_embedding() -> None:
    text = keys(1, 2, 3, -1, -1, 1, 2)
    assert Drafter(len(text) - 1).propose(text, 4, FREE, 1) == [3]


def test_a_first_guess_after_a_short_agreement_is_not_worth_much() -> None:
    text = keys(7, 1, 2, 3, 4, 9, 9, 1, 2)
    assert Drafter(len(text) - 1).propose(text, 3, DEAR, 1) == []


@pytest.mark.parametrize(("is_quote", "pays"), [(True, True), (False, False)])
def test_whether_it_pays_is_learnt_from_the_answer_without_computing_guesses(*, is_quote: bool, pays: bool) -> None:
    screen = list(range(100, 160))
    drafter, costs = Drafter(len(screen)), StepCosts(FIRST_SLOPE)
    # A quote, or a text that takes up two tokens at a time and leaves them again.
    answer = screen[:50] if is_quote else [token for i in range(0, 50, 3) for token in (*screen[i : i + 2], 7000 + i)]
    proposed = [
        len(drafter.propose(keys(*screen, *answer[:length]), 15, costs, 1)) for length in range(1, len(answer) + 1)
    ]
    assert any(proposed[20:]) == pays
    assert not pays or proposed[-1] >= 8


def test_costs_are_learnt_from_steps_of_one_stream() -> None:
    costs = StepCosts(slope=0.9)
    for _ in range(100):
        costs.observe(1, 0.020)
        costs.observe(9, 0.038)
    assert costs.ratio(1, 8) == costs.ratio(1, 9) == pytest.approx(1.9, rel=0.01)
    assert costs.ratio(1, 1) == pytest.approx(1.1, rel=0.01)
    assert costs.ratio(5, 1) == pytest.approx(1 + 0.1 / 1.3, rel=0.01), "beside what is forced, without logits"


def test_without_a_single_step_a_wide_one_says_nothing() -> None:
    costs = StepCosts(slope=0.5)
    costs.observe(9, 100.0)
    costs.observe(1, 1.0)
    costs.observe(2, 100.0)
    assert costs.ratio(1, 3) == 2.5
