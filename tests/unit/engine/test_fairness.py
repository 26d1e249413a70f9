"""One client among others: what he waits for is never somebody else's queue. Steps are counted, nothing is timed."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_scheduler import Rig, make_request, small_config

from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Client, Request
from autoglm_phone.engine.config import EngineConfig

GREEDY = Client("192.168.0.2", "script")
POLITE = Client("192.168.0.3", "phone")
CONFIG = EngineConfig(
    max_model_len=512, kv_tokens=4096, max_running=8, prefill_chunk=16, prefill_chunk_idle=16, idle_kv_tokens=64
)


def ask(name: str, client: Client, *, prompt_tokens: int = 48, max_tokens: int = 30) -> Request:
    """No two prompts begin alike."""
    number = int.from_bytes(name.encode(), "big")
    prompt = Prompt(tuple(TokenId(1 + (number + i) % 10_007) for i in range(prompt_tokens)))
    request = make_request(name, prompt, max_tokens)
    return replace(request, client=client, stop_tokens=frozenset())


def steps_until(rig: Rig, name: str, num_tokens: int) -> int:
    steps = 0
    while len(rig.texts[RequestId(name)]) < num_tokens:
        rig.step()
        steps += 1
    return steps


def steps_alone(num_tokens: int) -> int:
    rig = Rig(CONFIG)
    rig.add(ask("polite", POLITE))
    return steps_until(rig, "polite", num_tokens)


def rig_with_greedy(num_steps: int) -> Rig:
    rig = Rig(CONFIG)
    for k in range(50):
        rig.add(ask(f"greedy {k}", GREEDY))
    for _ in range(num_steps):
        rig.step()
    return rig


def test_a_polite_client_does_not_wait_for_the_queue_of_a_greedy_one() -> None:
    for num_steps in (1, 10, 40):
        rig = rig_with_greedy(num_steps)
        rig.add(ask("polite", POLITE))
        # Half of the prompt tokens of a step are his, and a token of each step.
        assert steps_until(rig, "polite", 1) <= 2 * steps_alone(1)
        assert steps_until(rig, "polite", 30) == 29
        assert rig.scheduler.num_waiting > 20
        rig.run()
        assert len(rig.finished) == 51


def test_at_one_place_clients_are_told_apart_by_name() -> None:
    rig = rig_with_greedy(10)
    rig.add(ask("polite", Client(GREEDY.place, "page")))
    assert steps_until(rig, "polite", 1) <= 2 * steps_alone(1)


def test_many_names_at_one_place_do_not_push_another_place_back() -> None:
    rig = Rig(CONFIG)
    for k in range(50):
        rig.add(ask(f"greedy {k}", Client("192.168.0.2", f"name {k}")))
    for _ in range(10):
        rig.step()
    rig.add(ask("polite", POLITE))
    waiting = rig.scheduler.num_waiting
    while RequestId("polite") not in rig.finished:
        rig.step()
    assert rig.scheduler.num_waiting >= waiting - CONFIG.max_seats, "one round of those that run, no more"


def test_all_seats_are_one_clients_when_he_is_alone_and_are_given_back_one_by_one() -> None:
    rig = rig_with_greedy(1)
    assert rig.scheduler.num_running == CONFIG.max_running
    others = [Client(f"192.168.1.{k}") for k in range(4)]
    for k, client in enumerate(others):
        rig.add(ask(f"other {k}", client))
    rig.step()
    assert rig.scheduler.num_running == CONFIG.max_seats
    finished: list[str] = []
    while len(rig.finished) < 54:
        rig.step()
        finished += [name for name in rig.finished if name not in finished]
    # Two had a seat at once, and the next two got the first that were free.
    assert {name for name in finished[:14] if name.startswith("other")} == {f"other {k}" for k in range(4)}


def test_two_clients_with_long_queues_end_equally_many_whoever_came_first() -> None:
    rig = Rig(replace(CONFIG, max_running=2))
    for client in (GREEDY, POLITE):
        for k in range(20):
            rig.add(ask(f"{client.name} {k}", client))
    while len(rig.finished) < 18:
        rig.step()
    assert 8 <= sum(name.startswith("phone") for name in rig.finished) <= 10


def test_who_has_more_running_is_preempted() -> None:
    config = replace(CONFIG, kv_tokens=512)
    rig = Rig(config)
    for k in range(5):
        rig.add(ask(f"greedy {k}", GREEDY, max_tokens=200))
    for _ in range(30):
        rig.step()
    rig.add(ask("polite", POLITE, max_tokens=200))
    steps_until(rig, "polite", 1)
    assert steps_until(rig, "polite", 200) == 199, "he has one running and is never preempted"
    assert rig.scheduler.num_preemptions >= 3
    rig.run()
    assert len(rig.finished) == 6


@pytest.mark.parametrize("kv_tokens", range(54, 62))
def test_one_preempted_in_the_step_that_had_a_part_for_it_keeps_only_what_was_computed(kv_tokens: int) -> None:
    """A stream grows while two prompts are read; in some of these there is room for one's part, but not for both."""
    rig = Rig(small_config(kv_tokens=kv_tokens))
    rig.add(ask("stream", GREEDY, prompt_tokens=2, max_tokens=38))
    rig.step()
    rig.add(ask("greedy", GREEDY, prompt_tokens=25, max_tokens=1))
    rig.step()
    rig.add(ask("polite", POLITE, prompt_tokens=25, max_tokens=1))
    while rig.scheduler.has_work:
        rig.step()
        assert rig.scheduler.kv.num_used == rig.backend.num_used_cells
    assert len(rig.finished) == 3


places = st.integers(0, 2).map(str)
clients = st.builds(Client, places, st.integers(0, 2).map(str))
arrivals = st.lists(st.tuples(clients, st.integers(1, 20), st.integers(1, 15)), min_size=1, max_size=25)


@given(arrivals, st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_everybody_comes_to_an_end_whatever_is_preempted(
    asked: list[tuple[Client, int, int]], steps_between: int
) -> None:
    rig = Rig(small_config(kv_tokens=60))
    for number, (client, prompt_tokens, max_tokens) in enumerate(asked):
        rig.add(ask(f"r{number}", client, prompt_tokens=prompt_tokens, max_tokens=max_tokens))
        for _ in range(steps_between):
            if rig.scheduler.has_work:
                rig.step()
                rig.scheduler.check_invariants()
    rig.run()
    assert len(rig.finished) == len(asked)
    assert rig.backend.num_samplers == 0


@given(st.lists(st.sampled_from(["same", "new name", "new place"]), min_size=200, max_size=200), st.integers(0, 30))
@settings(deadline=None, max_examples=25)
def test_a_flood_of_clients_who_were_never_seen_does_not_starve_one_who_was(flood: list[str], arrives_at: int) -> None:
    """One that comes with every step is more than can be served: whoever waits longest must still come first."""
    rig = Rig(small_config(kv_tokens=200))
    for number, kind in enumerate(flood):
        if number == arrives_at:
            rig.add(ask("victim 1", POLITE, prompt_tokens=8, max_tokens=4))
            rig.add(ask("victim 2", POLITE, prompt_tokens=8, max_tokens=4))
        client = {
            "same": GREEDY,
            "new name": Client(GREEDY.place, f"name {number}"),
            "new place": Client(f"place {number}"),
        }[kind]
        rig.add(ask(f"flood {number}", client, prompt_tokens=8, max_tokens=4))
        rig.step()
    assert {RequestId("victim 1"), RequestId("victim 2")} <= rig.finished.keys()
    assert rig.scheduler.num_waiting > 0, "the flood is more than can be served"
