import json
from math import log

import pytest

from autoglm_phone.backends.fake.backend import FakeBackend, Values
from autoglm_phone.core.backend import StepItem, StepPlan, StepResult
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams, TokenLogprobs
from autoglm_phone.text.grammar import json_schema_grammar

ME, SLOT, END = RequestId("me"), SlotId(0), TokenId(257)


def always(token: int) -> FakeBackend:
    def choose(_values: Values, _params: SamplingParams) -> TokenId:
        return TokenId(token)

    return FakeBackend(choose, num_slots=1, kv_tokens=500)


def request(*, grammar: str = "", top: int | None = None, bias: tuple[tuple[TokenId, float], ...] = ()) -> Request:
    sampling = SamplingParams(temperature=0.0, logit_bias=bias)
    return Request(ME, Prompt((TokenId(1),)), sampling, 100, frozenset({END}), grammar, top)


def step(backend: FakeBackend, start: int = 0, token: int = 1) -> StepResult:
    return backend.step(StepPlan((StepItem(SLOT, start, (TokenId(token),), None, ME),)))


def text(backend: FakeBackend, grammar: str) -> str:
    """What is drawn until the answer is complete."""
    backend.start_sampling(request(grammar=grammar))
    drawn = bytearray()
    result = step(backend)
    while True:
        drawn += bytes(token for token in result.sampled.get(ME, ()) if token != END)
        if ME in result.ended:
            backend.close()
            return drawn.decode()
        result = step(backend, len(drawn), drawn[-1])


@pytest.mark.parametrize("wanted", [ord("a"), ord(" "), 0])
def test_whatever_the_model_wants_the_answer_follows_its_grammar(wanted: int) -> None:
    tags = {"type": "array", "items": {"type": "string", "maxLength": 2}, "maxItems": 3}
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 5}, "tags": tags},
        "required": ["name", "tags"],
    }
    answer = json.loads(text(always(wanted), json_schema_grammar(schema, param="schema")))
    assert isinstance(answer["name"], str)
    assert isinstance(answer["tags"], list)


def test_a_grammar_that_cannot_be_followed_fails_that_request() -> None:
    backend = always(1)
    backend.start_sampling(request(grammar="start: absent"))
    result = step(backend)
    backend.close()
    assert "absent" in result.failed[ME]
    assert not result.sampled


def test_a_bias_of_a_hundred_decides() -> None:
    for bias, drawn in ((((TokenId(9), 100.0),), 9), (((TokenId(5), -100.0), (TokenId(0), -100.0)), 1), ((), 5)):
        backend = always(5)
        backend.start_sampling(request(bias=bias))
        assert step(backend).sampled == {ME: (TokenId(drawn),)}


def test_logprobs_come_with_the_token_if_they_are_asked_for() -> None:
    backend = always(1)
    backend.start_sampling(request(top=3))
    half = log(0.5)
    top = ((TokenId(1), half), (TokenId(0), 2 * half), (TokenId(2), 3 * half))
    assert step(backend).logprobs == {ME: TokenLogprobs(half, top)}
    backend.start_sampling(request())
    assert step(backend, 1).logprobs == {}
