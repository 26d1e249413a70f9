"""Pictures between tokens on llama.cpp: cells and positions part, and a text is the same whatever way it came."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_glm4 import WIDTH, write_tiny_glm4

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.core.backend import StepItem, StepPlan
from autoglm_phone.core.ids import Digest, RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import EmbedSpan, Grid, Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.engine.chunk_policy import ChunkPolicy
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.scheduler import Scheduler
from autoglm_phone.engine.sequence import Sequence
from autoglm_phone.engine.step_costs import StepCosts

GREEDY = SamplingParams(temperature=0.0)
PROBE = RequestId("probe")
KV_TOKENS, SLOTS = 512, 12
# Weights are float32, the cache is float16: what another order of summing changes is far below a logit's spread of 3.
TOLERANCE = 5e-3


@dataclass(frozen=True)
class Texts:
    answers: list[list[TokenId]]
    cached: list[int]
    scheduler: Scheduler


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppBackend]:
    path = write_tiny_glm4(tmp_path_factory.mktemp("model") / "tiny.gguf")
    config = LlamaCppConfig(path, KV_TOKENS, max_slots=SLOTS, max_step_tokens=128, threads=1, max_draft=15)
    backend = LlamaCppBackend(config, LlamaLibrary())
    yield backend
    backend.close()


@pytest.fixture
def backend(loaded: LlamaCppBackend) -> Iterator[LlamaCppBackend]:
    loaded.start_sampling(Request(PROBE, Prompt(()), GREEDY, 1))
    yield loaded
    loaded.stop_sampling(PROBE)
    for slot in range(SLOTS):
        loaded.trim(SlotId(slot), 0)


def words(seed: int, count: int) -> tuple[TokenId, ...]:
    return tuple(TokenId(token) for token in np.random.default_rng(seed).integers(0, 256, count).tolist())


def picture(start: int, grid: Grid, seed: int) -> EmbedSpan:
    rows = np.random.default_rng(seed).standard_normal((grid.num_tokens, WIDTH)).astype(np.float32)
    return EmbedSpan(start, rows, Digest(f"picture {seed}"), Digest("encoder"), grid)


def step(backend: LlamaCppBackend, *items: StepItem) -> NDArray[np.float32]:
    """Logits (V,) behind the last of the items."""
    items = (*items[:-1], replace(items[-1], sample_for=PROBE))
    backend.step(StepPlan(items))
    return backend.logits(sum(len(item.tokens) for item in items) - 1).copy()


def in_chunks(prompt: Prompt, slot: int, size: int) -> list[StepItem]:
    """The prompt's items as the engine makes them of chunks of that many cells."""
    sequence = Sequence(Request(PROBE, prompt, GREEDY, 1), SlotId(slot))
    items: list[StepItem] = []
    while sequence.num_uncomputed:
        count = min(size, sequence.num_uncomputed)
        items += sequence.items(count)
        sequence.num_computed += count
    return [replace(item, sample_for=None) for item in items]


def example() -> Prompt:
    """Text, a picture that is higher than wide, text, one that is wider than high, text."""
    tokens = words(1, 60)
    return Prompt(tokens, (picture(7, Grid(5, 3), 1), picture(30, Grid(2, 6), 2)))


@pytest.mark.parametrize("size", [1, 4, 7, 60])
def test_a_picture_computed_in_pieces_gives_the_logits_of_one_step(backend: LlamaCppBackend, size: int) -> None:
    expected = step(backend, *in_chunks(example(), 0, 60))
    for item in in_chunks(example(), 1, size)[:-1]:
        backend.step(StepPlan((item,)))
    assert np.abs(step(backend, in_chunks(example(), 1, size)[-1]) - expected).max() < TOLERANCE


def test_rows_and_columns_of_a_picture_matter(backend: LlamaCppBackend) -> None:
    def logits(grid: Grid | None, slot: int) -> NDArray[np.float32]:
        span = replace(picture(4, Grid(3, 4), 5), grid=grid)
        return step(backend, *in_chunks(Prompt(words(2, 20), (span,)), slot, 60))

    high, wide, line = logits(Grid(4, 3), 0), logits(Grid(3, 4), 1), logits(None, 2)
    assert np.abs(high - wide).max() > 0.1
    assert np.abs(wide - line).max() > 0.1


def test_slots_are_cut_and_copied_between_pictures_by_position(backend: LlamaCppBackend) -> None:
    prompt = example()
    expected = step(backend, *in_chunks(prompt, 0, 60))
    items = in_chunks(prompt, 0, 60)
    behind_first = items[2]
    assert (behind_first.start, behind_first.position) == (22, 12)
    backend.copy_prefix(SlotId(0), SlotId(1), behind_first.position)
    backend.trim(SlotId(0), behind_first.position)
    for slot in (0, 1):
        again = step(backend, *(replace(item, slot=SlotId(slot)) for item in items[2:]))
        assert np.abs(again - expected).max() < TOLERANCE


def test_a_state_with_pictures_comes_back_with_their_places(backend: LlamaCppBackend) -> None:
    items = in_chunks(example(), 0, 60)
    expected = step(backend, *items)
    backend.trim(SlotId(0), items[-1].position)
    state = backend.save(SlotId(0))
    backend.trim(SlotId(0), 0)
    step(backend, StepItem(SlotId(1), 0, words(3, 33)))  # so that the restored cells lie elsewhere
    backend.restore(SlotId(2), state)
    assert np.abs(step(backend, replace(items[-1], slot=SlotId(2))) - expected).max() < TOLERANCE
    assert np.abs(step(backend, StepItem(SlotId(2), 60, words(4, 1), lag=16)) - expected).max() > 0.1


ROOMY = EngineConfig(
    max_model_len=128, kv_tokens=KV_TOKENS, max_running=4, max_cached=0, idle_kv_tokens=0, spill_bytes=0,
    prefill_chunk_idle=100, speculation=False,
)  # fmt: skip


def texts(backend: LlamaCppBackend, prompts: list[Prompt], config: EngineConfig = ROOMY, *, together: bool) -> Texts:
    """The greedy texts of 50 tokens, asked one after the other or all at once. Leaves the cache empty."""
    scheduler = Scheduler(config, backend, ChunkPolicy(config), StepCosts(slope=0.0))
    answers: dict[RequestId, list[TokenId]] = {}
    cached: dict[RequestId, int] = {}
    for number, prompt in enumerate(prompts):
        request = Request(RequestId(f"r{number}"), prompt, GREEDY, 50)
        answers[request.id] = []
        scheduler.add(request)
        while scheduler.has_work and (number == len(prompts) - 1 or not together):
            planned = scheduler.plan()
            for request_id, event in scheduler.commit(planned, backend.step(planned.plan)):
                answers[request_id] += event.tokens
                cached[request_id] = event.cached_tokens
            scheduler.check_invariants()
    for slot in range(SLOTS):
        backend.trim(SlotId(slot), 0)
    return Texts(list(answers.values()), [cached[one] for one in answers], scheduler)


def turns(count: int) -> list[Prompt]:
    """A dialogue as it grows: a picture and a few words more each time."""
    tokens, spans = list(words(7, 9)), []
    prompts = []
    for turn in range(count):
        grid = (Grid(4, 2), Grid(2, 4), Grid(3, 3), Grid(1, 7))[turn]
        spans.append(picture(len(tokens), grid, 20 + turn))
        tokens += [*[TokenId(0)] * grid.num_tokens, *words(30 + turn, 7)]
        prompts.append(Prompt(tuple(tokens), tuple(spans)))
    return prompts


def test_with_the_prefix_reused_texts_stay_the_same(backend: LlamaCppBackend) -> None:
    plain = texts(backend, turns(4), together=False)
    reused = texts(backend, turns(4), replace(ROOMY, max_cached=6, idle_kv_tokens=400), together=False)
    assert reused.answers == plain.answers
    assert plain.cached == [0, 0, 0, 0]
    assert reused.cached == [0, *(len(prompt) for prompt in turns(3))]


def test_spilled_and_restored_texts_stay_the_same(backend: LlamaCppBackend) -> None:
    asked = [*turns(2), Prompt(words(50, 40)), *turns(3)]
    plain = texts(backend, asked, together=False)
    spilled = texts(backend, asked, replace(ROOMY, max_cached=6, spill_bytes=1 << 22), together=False)
    assert spilled.answers == plain.answers
    known = [len(prompt) for prompt in turns(2)]
    assert spilled.cached == [0, known[0], 0, known[0] - 1, known[1] - 1, known[1]]
    assert spilled.scheduler.kv.num_restores > 0


def test_in_pieces_together_and_preempted_texts_stay_the_same(backend: LlamaCppBackend) -> None:
    asked = [*turns(3), example(), Prompt(words(50, 40))]
    plain = texts(backend, asked, together=False)
    config = replace(ROOMY, kv_tokens=150, prefill_chunk=5, prefill_chunk_idle=11, max_cached=2, idle_kv_tokens=60)
    together = texts(backend, asked, config, together=True)
    assert together.answers == plain.answers
    assert together.scheduler.num_preemptions > 0


def test_guesses_behind_pictures_leave_texts_the_same(backend: LlamaCppBackend) -> None:
    tokens = words(60, 12) * 4
    prompt = Prompt(tokens, (picture(3, Grid(2, 3), 9),))
    plain = texts(backend, [prompt], together=False)
    guessed = texts(backend, [prompt], replace(ROOMY, speculation=True), together=False)
    assert guessed.answers == plain.answers
    assert guessed.scheduler.num_drafted > 0
