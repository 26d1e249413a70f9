"""Events of several tokens, taken one by one."""

from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import TokenEvent, TokenLogprobs


def test_tokens_come_one_by_one_and_the_end_comes_last() -> None:
    one, two, three = (TokenId(number) for number in (1, 2, 3))
    event = TokenEvent((one, two, three), "length", cached_tokens=5, queue_s=0.5)
    assert list(event.one_by_one()) == [
        TokenEvent((one,), None, 5, 0.5),
        TokenEvent((two,), None, 5, 0.5),
        TokenEvent((three,), "length", 5, 0.5),
    ]


def test_what_holds_one_token_or_none_stays_as_it_is() -> None:
    for event in (
        TokenEvent((), "stop", error="too complex"),
        TokenEvent((TokenId(1),), logprobs=(TokenLogprobs(-1.0),)),
    ):
        assert list(event.one_by_one()) == [event]
