"""Who gets how much of a step's prompt tokens."""

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Client, Request, SamplingParams
from autoglm_phone.engine.prefill_shares import Claim, share_prefill
from autoglm_phone.engine.sequence import Sequence


def sequence(num_tokens: int) -> Sequence:
    return Sequence(Request(RequestId("r"), Prompt((TokenId(1),) * num_tokens), SamplingParams(), 1))


def shares(budget: int, *asked: tuple[Client, int]) -> list[int]:
    claims = [(client, sequence(num_tokens)) for client, num_tokens in asked]
    counts = share_prefill(budget, claims)
    return [counts.get(one, 0) for _, one in claims]


A, A2, B = Client("a", "1"), Client("a", "2"), Client("b", "1")


def test_one_client_has_it_all_oldest_first() -> None:
    assert shares(100, (A, 70), (A, 70), (A, 70)) == [70, 30, 0]


def test_places_share_equally_and_names_share_what_their_place_has() -> None:
    assert shares(100, (A, 900), (A2, 900), (B, 900)) == [25, 25, 50]


def test_what_one_does_not_need_goes_to_the_others() -> None:
    assert shares(100, (A, 900), (B, 10)) == [90, 10]


def test_one_who_waits_for_a_prefix_gives_his_share_to_it() -> None:
    source, before = sequence(900), sequence(900)
    assert share_prefill(90, [(A, before), (A, source), (B, source)]) == {before: 45, source: 45}


@given(
    st.integers(1, 60),
    st.lists(st.tuples(st.sampled_from([A, A2, B]), st.integers(0, 4)), max_size=8),
    st.lists(st.integers(1, 30), min_size=5, max_size=5),
)
def test_nothing_is_left_over_and_nobody_gets_more_than_he_has_to_compute(
    budget: int, claimed: list[tuple[Client, int]], lengths: list[int]
) -> None:
    sequences = [sequence(length) for length in lengths]
    claims: list[Claim] = [(client, sequences[index]) for client, index in claimed]
    counts = share_prefill(budget, claims)
    assert all(0 < count <= one.num_uncomputed for one, count in counts.items())
    assert sum(counts.values()) == min(budget, sum(one.num_uncomputed for one in {one for _, one in claims}))
