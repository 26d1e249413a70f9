"""One decoder on one set of kernels: its logits and its speed. In a process of its own, since wrong kernels may crash.

python -m autoglm_phone.backends.llama_cpp.kernels.trial GGUF THREADS LOGITS_FILE [PLUGIN]
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.backends.llama_cpp.kernels.installed import Speed
from autoglm_phone.core.backend import StepItem, StepPlan
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams

MODULE = "autoglm_phone.backends.llama_cpp.kernels.trial"
TIMEOUT_S = 1800  # of a 9B on the wheel's kernels and two cores: 200
PROMPT, STREAMS, STEPS = 128, 8, 12
ROUNDS, ENOUGH_S = 3, 8.0  # a rate is the median of three rounds, or of as many as were begun in this time
BEHIND, CHUNK = 1024, 40  # a chunk of a long prompt: most of its time is attention

# What kernels may differ by. The wheel's own logits move by 0.33 (0.5B) and 0.52 (1.5B) with the width of a batch.
MAX_DIFFERENCE, MAX_MEAN_DIFFERENCE = 1.5, 0.15
# Where the two likeliest tokens are further apart than this, both must choose the same one (docs/architecture.md).
SURE_MARGIN = 0.5


@dataclass(frozen=True, eq=False)
class Trial:
    """logits: (N, V) float32 behind N different contexts, the same for every set of kernels."""

    speed: Speed
    logits: NDArray[np.float32]


def run_trial(gguf: Path, threads: int, work: Path, plugin: Path | None) -> Trial:
    """Start the process and take what it found. Raises SetupError if it crashes or fails."""
    file = work / ("native.npy" if plugin else "wheel.npy")
    command = [
        sys.executable,
        "-P",
        "-m",
        MODULE,
        str(gguf),
        str(threads),
        str(file),
        *([str(plugin)] if plugin else []),
    ]
    result = subprocess.run(  # noqa: S603 - our own interpreter and module
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if result.returncode != 0:
        raise SetupError(f"the kernels failed their trial (exit status {result.returncode}):\n{result.stderr[-2000:]}")
    return Trial(msgspec.json.decode(result.stdout, type=Speed), np.load(file))


def differences(reference: NDArray[np.float32], other: NDArray[np.float32]) -> str:
    """What is wrong with the logits of `other`; empty if nothing is."""
    if not np.isfinite(other).all():
        return "logits are not finite"
    apart = np.abs(reference - other)
    if apart.max() > MAX_DIFFERENCE or apart.mean() > MAX_MEAN_DIFFERENCE:
        return f"logits differ by up to {apart.max():.2f}, {apart.mean():.3f} in the mean"
    best_two = np.partition(reference, -2, axis=1)[:, -2:]
    is_sure = best_two[:, 1] - best_two[:, 0] > SURE_MARGIN
    num_flips = int((is_sure & (reference.argmax(axis=1) != other.argmax(axis=1))).sum())
    return f"{num_flips} of {len(reference)} contexts go on with another token" if num_flips else ""


def main() -> None:
    gguf, threads, file = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    plugin = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    library = LlamaLibrary(plugin)
    if plugin is not None and not library.has_native_kernels:
        raise SetupError(f"{plugin} cannot be loaded: {library.last_warning}")
    config = LlamaCppConfig(
        gguf, kv_tokens=2 * BEHIND, max_slots=STREAMS, max_step_tokens=PROMPT + STREAMS, threads=threads
    )
    backend = LlamaCppBackend(config, library)
    _start(backend)
    tokens = _tokens(backend.vocab_size)
    logits = [*_logits_of_prompts(backend, tokens), *_logits_of_streams(backend, tokens)]
    _fill(backend, tokens)
    logits += _logits_behind(backend, tokens)
    np.save(file, np.stack(logits))
    sys.stdout.buffer.write(msgspec.json.encode(_speed(backend, tokens)))
    backend.close()


def _tokens(vocab_size: int) -> tuple[TokenId, ...]:
    """Some that every run draws alike; the first of a vocabulary, so that they are text and no control tokens."""
    drawn = np.random.default_rng(0).integers(vocab_size // 100, vocab_size // 4, BEHIND + CHUNK + STREAMS)
    return tuple(TokenId(int(token)) for token in drawn)


def _logits_of_prompts(backend: LlamaCppBackend, tokens: tuple[TokenId, ...]) -> Iterator[NDArray[np.float32]]:
    """Behind prompts of several lengths: products of many inputs, and of those left over.

    Not behind a single token: a few activations of a first token are so large that one scale for 256 of them, as the
    wheel has it, rounds the others away (docs/adr/0007).
    """
    for length in (2, 3, 5, 16, 61, PROMPT):
        backend.trim(SlotId(0), 0)
        backend.step(StepPlan((_item(0, 0, tokens[:length], is_output=True),)))
        yield backend.logits(length - 1).copy()


def _logits_of_streams(backend: LlamaCppBackend, tokens: tuple[TokenId, ...]) -> Iterator[NDArray[np.float32]]:
    """Of several streams in one step, each behind tokens of its own."""
    length = 20
    _empty(backend)
    for slot in range(STREAMS):
        backend.step(StepPlan((_item(slot, 0, tokens[slot : slot + length]),)))
    for width in (1, 4, 7, STREAMS):
        for slot in range(STREAMS):
            backend.trim(SlotId(slot), length)
        backend.step(
            StepPlan(tuple(_item(slot, length, (tokens[slot + length],), is_output=True) for slot in range(width)))
        )
        yield from (backend.logits(index).copy() for index in range(width))


def _logits_behind(backend: LlamaCppBackend, tokens: tuple[TokenId, ...]) -> Iterator[NDArray[np.float32]]:
    """Of a chunk behind the long prompt, with attention in tiles and without."""
    for length in (CHUNK, 7):
        backend.trim(SlotId(0), BEHIND)
        backend.step(StepPlan((_item(0, BEHIND, tokens[BEHIND : BEHIND + length], is_output=True),)))
        yield backend.logits(length - 1).copy()


def _fill(backend: LlamaCppBackend, tokens: tuple[TokenId, ...]) -> None:
    """The long prompt, in slot 0."""
    _empty(backend)
    for start in range(0, BEHIND, PROMPT):
        backend.step(StepPlan((_item(0, start, tokens[start : start + PROMPT]),)))


def _speed(backend: LlamaCppBackend, tokens: tuple[TokenId, ...]) -> Speed:
    """With the long prompt in slot 0, as the logits behind it leave it."""

    def prefill() -> int:
        backend.step(StepPlan((_item(0, 0, tokens[:PROMPT]),)))
        return PROMPT

    def decode(width: int) -> Callable[[], int]:
        def steps() -> int:
            for step in range(STEPS):
                backend.step(
                    StepPlan(tuple(_item(slot, step, (tokens[step],), is_output=True) for slot in range(width)))
                )
            return STEPS * width

        return steps

    def prefill_behind() -> int:
        backend.step(StepPlan((_item(0, BEHIND, tokens[BEHIND : BEHIND + CHUNK]),)))
        return CHUNK

    behind = _median_rate(lambda: backend.trim(SlotId(0), BEHIND), prefill_behind)
    fast, one, eight = (_median_rate(lambda: _empty(backend), work) for work in (prefill, decode(1), decode(STREAMS)))
    return Speed(fast, behind, one, eight)


def _median_rate(before: Callable[[], None], work: Callable[[], int]) -> float:
    rates: list[float] = []
    begin_s = time.perf_counter()
    while len(rates) < ROUNDS and time.perf_counter() - begin_s < ENOUGH_S:
        before()
        start_s = time.perf_counter()
        num_tokens = work()
        rates.append(num_tokens / (time.perf_counter() - start_s))
    return statistics.median(rates)


def _start(backend: LlamaCppBackend) -> None:
    for slot in range(STREAMS):
        backend.start_sampling(Request(_request(slot), Prompt((TokenId(0),)), SamplingParams(temperature=0.0), 1))


def _request(slot: int) -> RequestId:
    return RequestId(f"trial-{slot}")


def _empty(backend: LlamaCppBackend) -> None:
    for slot in range(STREAMS):
        backend.trim(SlotId(slot), 0)


def _item(slot: int, start: int, tokens: tuple[TokenId, ...], *, is_output: bool = False) -> StepItem:
    return StepItem(SlotId(slot), start, tokens, sample_for=_request(slot) if is_output else None)


if __name__ == "__main__":
    main()
