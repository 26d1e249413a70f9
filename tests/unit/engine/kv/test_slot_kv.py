"""What stays of finished sequences when the history is edited, in the KV cache and beside it."""

import numpy as np
import pytest

from autoglm_phone.backends.fake.backend import FakeBackend, choose_by_hash
from autoglm_phone.core.backend import StepItem, StepPlan
from autoglm_phone.core.ids import Digest, RequestId, SlotId, TokenId
from autoglm_phone.engine.kv.content import UNDER_EMBEDDING, Content, MediaKey
from autoglm_phone.engine.kv.slot_kv import SlotKV

BYTES_A_TOKEN = 8  # what the fake saves for a token of four digits
PLENTY = 1 << 20

Tokens = list[int]


def numbered(first: int, count: int) -> Tokens:
    """Tokens that occur nowhere else."""
    assert first >= 1000
    assert first + count <= 10_000
    return list(range(first, first + count))


class Cache:
    """A SlotKV over the fake backend, and requests that run through it."""

    def __init__(self, *, num_cells: int = 8192, idle_tokens: int = 0, spill_bytes: int = PLENTY) -> None:
        self.backend = FakeBackend(choose_by_hash(50), num_slots=12, kv_tokens=num_cells)
        self.kv = SlotKV(
            self.backend, num_slots=12, num_cells=num_cells, idle_tokens=idle_tokens, spill_bytes=spill_bytes
        )
        self.count = 0

    def begin(self, tokens: Tokens) -> tuple[SlotId, int]:
        """A request computes all of its tokens: its slot, and how many of them were known."""
        self.count += 1
        content = Content(np.array(tokens, dtype=np.int32), ())
        slot, hit = self.kv.attach(RequestId(f"r{self.count}"), content)
        assert self.kv.extend(slot, content, len(tokens) - hit)
        rest = tuple(TokenId(token) for token in tokens[hit:])
        self.backend.step(StepPlan((StepItem(slot, hit, rest),)))
        assert self.backend.save(slot) == _state_of(tokens)
        self.check()
        return slot, hit

    def ask(self, tokens: Tokens) -> int:
        slot, hit = self.begin(tokens)
        self.kv.detach(slot)
        self.check()
        return hit

    def check(self) -> None:
        self.kv.check_invariants()
        assert self.kv.num_used == self.backend.num_used_cells


def _state_of(tokens: Tokens) -> bytes:
    backend = FakeBackend(choose_by_hash(50), num_slots=1, kv_tokens=len(tokens))
    backend.step(StepPlan((StepItem(SlotId(0), 0, tuple(map(TokenId, tokens))),)))
    return backend.save(SlotId(0))


SYSTEM = numbered(1000, 1700)
in_kv_or_spilled = pytest.mark.parametrize("idle_tokens", [8192, 256, 0])


def phone_steps(count: int) -> list[Tokens]:
    """Of each step: system prompt, task, the steps before it without their screens, and the screen of now."""
    steps, history = [], numbered(3000, 30)
    for k in range(count):
        screen, answer = numbered(4000 + 400 * k, 300), numbered(8000 + 100 * k, 60)
        steps.append([*SYSTEM, *history, *screen, *answer])
        history = [*history, 3500 + k, *answer]
    return steps


@in_kv_or_spilled
def test_a_step_whose_last_screen_was_dropped_computes_only_what_comes_behind_it(idle_tokens: int) -> None:
    cache = Cache(idle_tokens=idle_tokens)
    steps = phone_steps(8)
    assert cache.ask(steps[0]) == 0
    for k, step in enumerate(steps[1:], 1):
        # The place of the screen, and the answer that stood behind it, come anew.
        assert cache.ask(step) == len(SYSTEM) + 30 + 61 * (k - 1)
    assert (cache.kv.num_restores > 0) == (idle_tokens < 8192)


@in_kv_or_spilled
def test_both_branches_of_an_edited_dialogue_stay(idle_tokens: int) -> None:
    cache = Cache(idle_tokens=idle_tokens)
    turns = [numbered(3000 + 200 * k, 100) for k in range(6)]
    old = [*SYSTEM, *(token for turn in turns for token in turn)]
    edited = [*SYSTEM, *turns[0], *numbered(5000, 80), *numbered(6000, 80)]
    assert cache.ask(old) == 0
    assert cache.ask(edited) == len(SYSTEM) + 100
    assert cache.ask([*old, 9000]) == len(old)
    assert cache.ask([*edited, 9001]) == len(edited)


def test_stale_branches_go_before_another_dialogue() -> None:
    """Room for three steps of a phone: their beginning is in the last one too, the dialogue is nowhere else."""
    steps = phone_steps(8)
    dialogue = numbered(9500, 300)
    cache = Cache(spill_bytes=(3 * len(steps[-1]) + len(dialogue)) * BYTES_A_TOKEN)
    cache.ask(dialogue)
    for step in steps:
        cache.ask(step)
    assert cache.kv.spilled_bytes > 2 * len(steps[-1]) * BYTES_A_TOKEN
    assert cache.ask([*dialogue, 9999]) == len(dialogue)
    assert cache.ask([*steps[-1], 9999]) == len(steps[-1])


def test_of_a_prefix_beyond_the_budget_its_beginning_is_kept_and_nothing_else_is_lost() -> None:
    cache = Cache(spill_bytes=1000 * BYTES_A_TOKEN)
    small = numbered(5000, 100)
    cache.ask(small)
    cache.ask(SYSTEM)
    assert 990 <= cache.ask([*SYSTEM, 9999]) <= 1000
    cache = Cache(spill_bytes=10 * BYTES_A_TOKEN)
    cache.ask(SYSTEM)
    assert (cache.kv.spilled_bytes, cache.ask(SYSTEM)) == (0, 0)


def test_a_prefix_that_does_not_fit_beside_those_that_run_is_not_restored() -> None:
    cache = Cache(num_cells=100, idle_tokens=20)
    long = numbered(1000, 50)
    cache.ask(long)
    assert cache.kv.num_spills == 1
    cache.ask([*long[:10], 9000, 9001])
    cache.begin(numbered(5000, 60))
    _, hit = cache.begin([*long[:30], 9002])
    assert hit == 10
    assert cache.kv.num_restores == 0


def test_few_of_very_many_small_prefixes_are_kept() -> None:
    cache = Cache()
    for k in range(200):
        cache.ask(numbered(1000 + 40 * k, 40))
    assert cache.kv.spilled_bytes <= 64 * 40 * BYTES_A_TOKEN
    assert cache.ask([*numbered(1000 + 40 * 199, 40), 9999]) == 40


def test_cells_of_a_picture_are_not_taken_over_from_another_version_of_its_module() -> None:
    """What makes it safe to replace an encoder while its embeddings lie in the cache."""

    def seen_by(module: str) -> Content:
        keys = np.array([7, 8, *[UNDER_EMBEDDING] * 4, 9], dtype=np.int32)
        return Content(keys, (MediaKey(2, 4, Digest("picture"), Digest(module), None),))

    cache = Cache(idle_tokens=8192)
    slot, hit = cache.kv.attach(RequestId("first"), seen_by("old"))
    assert cache.kv.extend(slot, seen_by("old"), 7 - hit)
    cache.backend.step(StepPlan((StepItem(slot, 0, tuple(map(TokenId, (7, 8, 0, 0, 0, 0, 9)))),)))
    cache.kv.detach(slot)
    assert cache.kv.attach(RequestId("again"), seen_by("old"))[1] == 6
    assert cache.kv.attach(RequestId("other"), seen_by("new"))[1] == 2
