"""Requests whose prefix is being computed for another: they wait for it and copy it, and nobody else waits for them."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from test_scheduler import GREEDY, Rig, alone, make_request, media_span, small_config

from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Client, Request
from autoglm_phone.engine.config import EngineConfig

CONFIG = EngineConfig(max_model_len=512, kv_tokens=4096, max_running=8, prefill_chunk=16, prefill_chunk_idle=64)
SYSTEM_PROMPT = tuple(TokenId(1 + i % 40) for i in range(200))


def ask(name: str, own: int, *, prefix: tuple[TokenId, ...] = SYSTEM_PROMPT, max_tokens: int = 4) -> Request:
    """A prompt that ends with five tokens of its own."""
    request = make_request(name, Prompt((*prefix, *[TokenId(50 + own)] * 5)), max_tokens)
    return replace(request, stop_tokens=frozenset())


def test_eight_at_once_compute_their_system_prompt_once() -> None:
    rig = Rig(CONFIG)
    for k in range(8):
        rig.add(ask(f"r{k}", k))
    rig.run()
    # The last token of an answer is drawn and never fed.
    assert rig.backend.num_computed == len(SYSTEM_PROMPT) + 8 * (5 + 3)
    assert [rig.cached[RequestId(f"r{k}")] for k in range(8)] == [0] + [200] * 7


def test_it_is_computed_once_for_several_clients_and_beside_a_stream() -> None:
    rig = Rig(CONFIG)
    rig.add(ask("stream", 9, prefix=(TokenId(45),), max_tokens=100))
    rig.step()
    before = rig.backend.num_computed
    for k in range(7):
        rig.add(replace(ask(f"r{k}", k), client=Client(f"192.168.0.{k}")))
    while any(RequestId(f"r{k}") not in rig.finished for k in range(7)):
        rig.step()
    fed_to_stream = len(rig.texts[RequestId("stream")]) - 1
    assert rig.backend.num_computed - before == len(SYSTEM_PROMPT) + 7 * (5 + 3) + fed_to_stream


def test_who_waits_for_a_prefix_is_no_later_than_if_he_computed_it() -> None:
    """He pays with his share: the prefix he waits for stands behind a longer prompt of a client of many."""

    def steps_to_first_token(prefix_of_other: tuple[TokenId, ...]) -> int:
        rig = Rig(CONFIG)
        rig.add(ask("long", 1, prefix=tuple(TokenId(7) for _ in range(400))))
        rig.add(ask("source", 2, prefix=prefix_of_other))
        rig.step()
        rig.add(replace(ask("other client", 3), client=Client("192.168.0.9")))
        steps = 0
        while not rig.texts[RequestId("other client")]:
            rig.step()
            steps += 1
        return steps

    unrelated = tuple(TokenId(45) for _ in range(200))
    assert steps_to_first_token(SYSTEM_PROMPT) <= steps_to_first_token(unrelated) + 1


def test_others_pass_those_who_wait_and_a_seat_is_kept_for_each() -> None:
    rig = Rig(replace(CONFIG, max_running=4))
    for name, own in (("source", 1), ("waits", 2), ("waits too", 3)):
        rig.add(ask(name, own))
    for own in (4, 5, 6):
        rig.add(ask(f"passes {own}", own, prefix=(TokenId(45),)))
    rig.step()
    assert (rig.scheduler.num_running, rig.scheduler.num_waiting) == (2, 4), "source, one that passes, two kept seats"
    rig.run()
    assert len(rig.finished) == 6
    assert rig.cached[RequestId("waits too")] == 200


def test_when_the_one_who_computes_it_leaves_another_goes_on_where_he_stopped() -> None:
    rig = Rig(CONFIG)
    for k in range(3):
        rig.add(ask(f"r{k}", k))
    rig.step()
    rig.scheduler.abort(RequestId("r0"))
    rig.run()
    assert rig.backend.num_computed == len(SYSTEM_PROMPT) + 2 * (5 + 3)


def test_a_few_common_tokens_are_not_waited_for() -> None:
    rig = Rig(CONFIG)
    for k in range(3):
        rig.add(ask(f"r{k}", k, prefix=SYSTEM_PROMPT[:10]))
    rig.step()
    assert rig.scheduler.num_running == 3


stems = st.sampled_from([tuple(TokenId(1 + (i * i + k) % 3) for i in range(20)) for k in range(2)])
tails = st.lists(st.integers(1, 2).map(TokenId), max_size=4).map(tuple)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """One of two long beginnings, cut somewhere, sometimes with a medium in it."""
    tokens = (*draw(stems)[: draw(st.sampled_from([5, 17, 20]))], *draw(tails))
    if len(tokens) > 8 and draw(st.booleans()):
        return Prompt(tokens, (media_span(4, 3, draw(st.integers(1, 2))),))
    return Prompt(tokens)


clients = st.builds(Client, st.integers(0, 1).map(str), st.integers(0, 1).map(str))


@given(
    st.lists(st.tuples(prompts(), st.integers(1, 10), clients, st.integers(0, 3)), min_size=2, max_size=10),
    st.sampled_from([44, 64, 200]),
)
@settings(deadline=None, max_examples=120)
def test_texts_are_those_computed_alone(asked: list[tuple[Prompt, int, Client, int]], kv_tokens: int) -> None:
    rig = Rig(small_config(kv_tokens=kv_tokens))
    requests = []
    for number, (prompt, max_tokens, client, num_steps) in enumerate(asked):
        request = replace(make_request(f"r{number}", prompt, max_tokens, GREEDY), client=client)
        requests.append(request)
        rig.add(request)
        for _ in range(num_steps):
            if rig.scheduler.has_work:
                rig.step()
                rig.scheduler.check_invariants()
                assert rig.scheduler.kv.num_used == rig.backend.num_used_cells
    rig.run()
    assert rig.texts == {request.id: alone(request) for request in requests}
