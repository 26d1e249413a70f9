"""What it costs to follow a grammar: two decoders, one bound and one free, take turns step by step.

    python benchmarks/constrained.py --gguf decoder.gguf --rounds 5

The engine loop over the real backend, no HTTP; both sides write the same number of tokens. A step takes some 20 ms, so
what else the machine does strikes both alike. Prints a Markdown table: the median step of each side, its range over the
rounds, and the median and range of the rounds' own ratios. On a busy machine, --clock cpu with one thread tells more.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import GRAMMAR_POLL_S, EngineLoop
from autoglm_phone.text.grammar import json_schema_grammar, regex_grammar
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.gguf_file import read_metadata

# Long enough that no side comes to its end.
PEOPLE = {
    "type": "array",
    "minItems": 1000,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "languages": {"type": "array", "items": {"enum": ["English", "Chinese", "French"]}},
        },
        "required": ["name", "age", "languages"],
        "additionalProperties": False,
    },
}
CHUNK = 128  # prompt tokens a step
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
QUESTION = "Make up a long list of people with name, age and languages, as JSON."
SAMPLINGS = {
    "greedy": SamplingParams(temperature=0.0),
    "drawn": SamplingParams(temperature=0.7, top_p=0.8, top_k=20, seed=1),
}
Clock = Callable[[], float]


class Side:
    """A decoder that writes answers of exactly num_tokens tokens, `streams` at once."""

    def __init__(self, gguf: Path, library: LlamaLibrary, threads: int, streams: int, num_tokens: int) -> None:
        self._streams, self._num_tokens = streams, num_tokens
        tokenizer = Tokenizer(read_metadata(gguf))
        special, encode = tokenizer.special_tokens, tokenizer.encode
        start, end = special["<|im_start|>"], special["<|im_end|>"]
        self._prompt = Prompt((start, *encode("user\n" + QUESTION), end, *encode("\n"), start, *encode("assistant\n")))
        window = len(self._prompt) + num_tokens
        kv_tokens = streams * window
        config = LlamaCppConfig(gguf, kv_tokens, max_slots=streams, max_step_tokens=CHUNK + streams, threads=threads)
        self._backend = LlamaCppBackend(config, library)
        self._config = EngineConfig(
            window, kv_tokens, max_running=streams, max_cached=0, idle_kv_tokens=0, spill_bytes=0,
            prefill_chunk_idle=CHUNK, speculation=False,
        )  # fmt: skip
        self._loop = EngineLoop(self._config, self._backend)

    def begin(self, sampling: SamplingParams, grammar: str) -> None:
        self._loop = EngineLoop(self._config, self._backend)
        for stream in range(self._streams):
            self._loop.submit(
                Request(RequestId(str(stream)), self._prompt, sampling, self._num_tokens, grammar=grammar)
            )

    @property
    def has_work(self) -> bool:
        return self._loop.has_work

    def step_s(self, clock: Clock) -> float | None:
        """Seconds of the next step that gives every stream a token; None after the last."""
        while self._loop.has_work:
            start_s = clock()
            events = self._loop.step()
            if len(events) == self._streams:
                return clock() - start_s
            if self._loop.is_held_up:  # to spin would keep the GIL from the thread that compiles
                time.sleep(GRAMMAR_POLL_S)
        return None


def compare(free: Side, bound: Side, sampling: SamplingParams, grammar: str, clock: Clock) -> tuple[float, float]:
    """Seconds of the median step, free and bound."""
    free.begin(sampling, "")
    bound.begin(sampling, grammar)
    steps_s: tuple[list[float], list[float]] = ([], [])
    while any(side.has_work for side in (free, bound)):
        for side, seconds in zip((free, bound), steps_s, strict=True):
            if (step_s := side.step_s(clock)) is not None:
                seconds.append(step_s)
    return statistics.median(steps_s[0]), statistics.median(steps_s[1])


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True, help="the decoder's file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128, help="tokens of each answer")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu counts the calling thread: --threads 1")
    arguments = parser.parse_args()
    library, clock = LlamaLibrary(), CLOCKS[arguments.clock]
    free, bound = (
        Side(arguments.gguf, library, arguments.threads, arguments.streams, arguments.tokens) for _ in range(2)
    )
    grammars = {
        "any text": regex_grammar(r"(.|\n)*", param="regex"),
        "schema": json_schema_grammar(PEOPLE, param="schema"),
    }
    print("| sampling | grammar | free step [ms] | bound step [ms] | speed, bound / free |\n|---|---|---|---|---|")
    for name, sampling in SAMPLINGS.items():
        for grammar_name, grammar in grammars.items():
            compare(free, bound, sampling, grammar, clock)  # the grammar is compiled before it counts
            pairs = [compare(free, bound, sampling, grammar, clock) for _ in range(arguments.rounds)]
            cells = [spread([1000 * pair[side] for pair in pairs], 2) for side in (0, 1)]
            ratio = spread([free_s / bound_s for free_s, bound_s in pairs], 3)
            print(f"| {name} | {grammar_name} | {' | '.join(cells)} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
