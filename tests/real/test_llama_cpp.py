"""The llama.cpp backend on the real decoder: caches, batches, embeddings and samplers against plain computation."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.core.backend import StepItem, StepPlan
from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import EngineLoop

pytestmark = pytest.mark.real

GREEDY = SamplingParams(temperature=0.0)
MARGIN_BOUND = 0.5  # top-2 margin of logits below which batch width may decide; docs/architecture.md says why
PROBE = RequestId("probe")


def number(*values: int) -> tuple[TokenId, ...]:
    return tuple(TokenId(value) for value in values)


def made_up_tokens(seed: int, count: int) -> tuple[TokenId, ...]:
    return number(*np.random.default_rng(seed).integers(1000, 20_000, count).tolist())


@pytest.fixture(scope="module")
def library() -> LlamaLibrary:
    return LlamaLibrary()


@pytest.fixture(scope="module")
def backend(nano_gguf: Path, library: LlamaLibrary) -> Iterator[LlamaCppBackend]:
    config = LlamaCppConfig(nano_gguf, kv_tokens=1024, max_slots=6, max_step_tokens=128, threads=2, max_draft=15)
    backend = LlamaCppBackend(config, library)
    yield backend
    backend.close()


@pytest.fixture
def empty(backend: LlamaCppBackend) -> Iterator[LlamaCppBackend]:
    backend.start_sampling(Request(PROBE, Prompt(()), GREEDY, 1))
    yield backend
    backend.stop_sampling(PROBE)
    for slot in range(6):
        backend.trim(SlotId(slot), 0)


def feed(backend: LlamaCppBackend, slot: int, start: int, tokens: tuple[TokenId, ...]) -> np.ndarray:
    """Logits (V,) after the last of `tokens`."""
    backend.step(StepPlan((StepItem(SlotId(slot), start, tokens, None, PROBE),)))
    return backend.logits(len(tokens) - 1).copy()


def test_a_restored_state_gives_the_same_logits(empty: LlamaCppBackend) -> None:
    prompt, more = made_up_tokens(1, 60), number(2000)
    feed(empty, 0, 0, prompt)
    state = empty.save(SlotId(0))
    expected = feed(empty, 0, 60, more)
    feed(empty, 1, 0, made_up_tokens(2, 33))  # so that the restored cells lie elsewhere
    empty.trim(SlotId(0), 0)
    empty.restore(SlotId(2), state)
    assert np.abs(feed(empty, 2, 60, more) - expected).max() < 1e-3


def test_a_copied_prefix_gives_the_same_logits_and_leaves_its_source_alone(empty: LlamaCppBackend) -> None:
    prompt = made_up_tokens(3, 40)
    feed(empty, 0, 0, prompt)
    empty.copy_prefix(SlotId(0), SlotId(1), 25)
    branch = feed(empty, 1, 25, prompt[25:])
    empty.trim(SlotId(1), 0)
    assert np.abs(branch - feed_again(empty, prompt)).max() < MARGIN_BOUND
    assert np.isfinite(feed(empty, 0, 40, number(5000))).all()


def feed_again(backend: LlamaCppBackend, prompt: tuple[TokenId, ...]) -> np.ndarray:
    logits = feed(backend, 5, 0, prompt)
    backend.trim(SlotId(5), 0)
    return logits


def test_embeddings_of_tokens_stand_for_the_tokens(empty: LlamaCppBackend, nano_gguf: Path) -> None:
    import gguf

    reader = gguf.GGUFReader(nano_gguf)
    table = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    before, media, after = number(1000, 1001), made_up_tokens(4, 5), number(3000, 3001)
    rows = gguf.quants.dequantize(table.data[list(media)], table.tensor_type)
    expected = feed(empty, 0, 0, (*before, *media, *after))
    slot = SlotId(1)
    empty.step(
        StepPlan(
            (
                StepItem(slot, 0, before),
                StepItem(slot, 2, media, np.ascontiguousarray(rows, dtype=np.float32)),
                StepItem(slot, 7, after, None, PROBE),
            )
        )
    )
    assert np.abs(empty.logits(8) - expected).max() < MARGIN_BOUND


@pytest.mark.parametrize(
    ("params", "is_greedy_text"),
    [
        (SamplingParams(temperature=0.9, top_k=1, seed=1), True),
        (SamplingParams(temperature=0.9, min_p=1.0, seed=1), True),
        (SamplingParams(temperature=0.9, top_p=1e-6, seed=1), True),
        (SamplingParams(temperature=0.0, repetition_penalty=1.0001), True),
        (SamplingParams(temperature=0.0, frequency_penalty=2.0), False),
        (SamplingParams(temperature=0.0, repetition_penalty=1.8), False),
    ],
)
def test_each_sampling_parameter_does_what_it_says(
    backend: LlamaCppBackend, params: SamplingParams, is_greedy_text: bool
) -> None:
    prompt = number(
        16, 11, 220, 17, 11, 220, 18, 11, 220, 16, 11, 220, 17, 11, 220, 18, 11, 220
    )  # "1, 2, 3, 1, 2, 3, "
    plain = texts(backend, {"a": (prompt, GREEDY)})["a"]
    assert (texts(backend, {"a": (prompt, params)})["a"] == plain) == is_greedy_text


def test_a_seed_makes_a_text_repeatable(backend: LlamaCppBackend) -> None:
    prompt = made_up_tokens(5, 12)
    drawn = [
        texts(backend, {"a": (prompt, SamplingParams(temperature=1.2, top_p=0.95, seed=seed))})["a"]
        for seed in (7, 7, 8)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def texts(
    backend: LlamaCppBackend,
    asked: dict[str, tuple[tuple[TokenId, ...], SamplingParams]],
    *,
    chunk: int = 16,
    speculation: bool = False,
) -> dict[str, list[TokenId]]:
    """Run requests together through a new scheduler on the backend; 24 tokens each. Leaves the cache empty."""
    config = EngineConfig(
        max_model_len=512, kv_tokens=1024, max_running=4, max_cached=2, idle_kv_tokens=0, spill_bytes=0,
        prefill_chunk=chunk, prefill_chunk_idle=64, speculation=speculation,
    )  # fmt: skip
    loop = EngineLoop(config, backend)
    for name, (prompt, params) in asked.items():
        loop.submit(Request(RequestId(name), Prompt(prompt), params, 24))
    answers: dict[str, list[TokenId]] = {name: [] for name in asked}
    while loop.has_work:
        for request_id, event in loop.step():
            answers[request_id] += event.tokens
    assert bool(loop.load().tokens_drafted) == speculation
    return answers


def test_in_a_batch_greedy_texts_first_part_where_two_tokens_are_nearly_as_likely(empty: LlamaCppBackend) -> None:
    """llama.cpp's logits move a little with the width of the batch, so equality is not to be had."""
    prompts = {f"r{seed}": made_up_tokens(seed, 20 + 9 * seed) for seed in range(4)}
    together = texts(empty, {name: (prompt, GREEDY) for name, prompt in prompts.items()}, chunk=7)
    for name, prompt in prompts.items():
        check_parting(empty, prompt, texts(empty, {name: (prompt, GREEDY)})[name], together[name])


def check_parting(
    backend: LlamaCppBackend, prompt: tuple[TokenId, ...], alone: list[TokenId], other: list[TokenId]
) -> None:
    same = next((i for i, (a, b) in enumerate(zip(alone, other, strict=True)) if a != b), None)
    if same is not None:
        top = np.sort(feed_again(backend, (*prompt, *alone[:same])))[-2:]
        assert top[1] - top[0] < MARGIN_BOUND


COUNTING = number(16, 11, 220, 17, 11, 220, 18, 11, 220) * 3  # "1, 2, 3, " three times


def test_with_guesses_greedy_texts_first_part_where_two_tokens_are_nearly_as_likely(empty: LlamaCppBackend) -> None:
    for prompt in (COUNTING, made_up_tokens(6, 9) * 4, made_up_tokens(7, 20) * 2):
        plain = texts(empty, {"a": (prompt, GREEDY)})["a"]
        check_parting(empty, prompt, plain, texts(empty, {"a": (prompt, GREEDY)}, speculation=True)["a"])


def test_right_and_wrong_guesses_give_the_logits_and_tokens_of_single_steps(empty: LlamaCppBackend) -> None:
    expected, right = [], []
    empty.step(StepPlan((StepItem(SlotId(0), 0, COUNTING[:-1]),)))
    token = COUNTING[-1]
    for position in range(len(COUNTING) - 1, len(COUNTING) + 3):
        expected.append(feed(empty, 0, position, (token,)))
        token = TokenId(int(expected[-1].argmax()))
        right.append(token)
    start = len(COUNTING) - 1
    empty.trim(SlotId(0), start)
    drafts = (right[0], right[1], TokenId(right[2] + 1), right[3])
    item = StepItem(SlotId(0), start, (COUNTING[-1], *drafts), None, PROBE, 5, 4)
    beside = StepItem(SlotId(1), 0, made_up_tokens(8, 3))
    result = empty.step(StepPlan((beside, item)))
    assert result.sampled[PROBE] == tuple(right[:3])
    for index in range(3):
        assert np.abs(empty.logits(3 + index) - expected[index]).max() < MARGIN_BOUND
    empty.trim(SlotId(0), start + 3)
    again = feed(empty, 0, start + 3, (right[2],))
    assert np.abs(again - expected[3]).max() < MARGIN_BOUND


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, library: LlamaLibrary) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(200))
    with pytest.raises(BundleError, match=r"cannot load .*broken\.gguf"):
        LlamaCppBackend(LlamaCppConfig(broken, kv_tokens=256, max_slots=2, max_step_tokens=32, threads=1), library)
