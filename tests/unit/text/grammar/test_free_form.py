import re

import pytest
from grammar_walker import accepts, begins, random_answer
from hypothesis import given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar import choice_grammar, regex_grammar


def test_a_regular_expression_is_matched_from_beginning_to_end() -> None:
    grammar = regex_grammar(r"\d{3}-[a-z]+", param="regex")
    assert accepts(grammar, "123-ab")
    assert not accepts(grammar, "x123-ab")
    assert not accepts(grammar, "123-ab ")
    for seed in range(20):
        assert re.fullmatch(r"\d{3}-[a-z]+", random_answer(grammar, seed))


def test_a_regular_expression_that_cannot_be_followed_names_its_field() -> None:
    with pytest.raises(InvalidRequest, match=r"^the regular expression looks ahead") as caught:
        regex_grammar("(?=a)", param="structured_outputs.regex")
    assert caught.value.param == "structured_outputs.regex"
    with pytest.raises(InvalidRequest, match="the regular expression cannot be used: "):
        regex_grammar("\\p{NoSuchScript}", param="regex")


choices = st.lists(
    st.text(max_size=8) | st.sampled_from(["yes", "yes!", 'say "hi"\n\\', "/", "%json", "\x00"]), min_size=1
)


@settings(max_examples=50, deadline=None)
@given(choices, st.text(max_size=8))
def test_a_choice_is_one_of_the_list_letter_for_letter(listed: list[str], other: str) -> None:
    grammar = choice_grammar(listed, param="choice")
    assert all(accepts(grammar, choice) for choice in listed)
    assert accepts(grammar, other) == (other in listed)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "at least one choice"),
        (["x"] * 10_001, "10001 choices, the limit is 10000"),
        (["x" * 150_000] * 2, "300000 bytes, the limit is 200000"),
        (["a", "\ud800"], "half of a surrogate pair"),
    ],
    ids=["none", "many", "large", "surrogate"],
)
def test_choices_that_are_refused(listed: list[str], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        choice_grammar(listed, param="choice")
    assert words in caught.value.message
    assert caught.value.param == "choice"


def test_ten_thousand_choices_can_be_followed() -> None:
    grammar = choice_grammar([f"number {i * 7919 % 100_003}" for i in range(10_000)], param="choice")
    assert begins(grammar, "number 7919")
    assert not begins(grammar, "nothing")
