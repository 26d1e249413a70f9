"""What speculation saves: the same answers with and without it, in turns, through the engine loop over one decoder.

    python benchmarks/speculation.py --gguf decoder.gguf --rounds 5

No HTTP. Tokens a second are counted from the first token to the last. Prints a Markdown table: the median of each side,
its range over the rounds, the median and range of the rounds' own ratios, and what the steps were.
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoglm_phone.backends.llama_cpp.backend import LlamaCppBackend
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.config import LlamaCppConfig
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import GRAMMAR_POLL_S, EngineLoop
from autoglm_phone.text.grammar import json_schema_grammar
from autoglm_phone.text.tokenizer import Tokenizer
from autoglm_phone.weights.gguf_file import read_metadata

BOOKING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "destination_city": {"type": "string", "maxLength": 20},
        "number_of_travellers": {"type": "integer", "minimum": 1, "maximum": 9},
        "departure_date": {"type": "string", "format": "date"},
        "preferred_transport": {"enum": ["train", "plane", "bus"]},
        "needs_accommodation": {"type": "boolean"},
        "maximum_price": {"type": "integer", "minimum": 0, "maximum": 9999},
        "contact_name": {"type": "string", "maxLength": 20},
        "special_requirements": {"type": "array", "items": {"enum": ["quiet", "window"]}, "minItems": 1, "maxItems": 2},
    },
    "additionalProperties": False,
}
BOOKING["required"] = list(BOOKING["properties"])

SCREEN = """[72,40] 9:41 [500,92] Settings [180,150] Search settings [210,221] Network & internet
[236,248] Mobile, Wi-Fi, hotspot [190,310] Connected devices [230,338] Bluetooth, pairing [120,400] Apps
[260,428] Assistant, recent apps, default apps [180,490] Notifications [270,518] Notification history, conversations
[140,580] Battery [150,608] 84% - About 1 day left [140,670] Storage [220,698] 46% used - 34.5 GB free
[200,760] Sound & vibration [250,788] Volume, haptics, Do Not Disturb [140,850] Display
[280,878] Dark theme, font size"""


def step_of(name: str, place: str, beside: str) -> str:
    """An earlier answer in the form of the 9B's agent."""
    return (
        f'<think>The user wants to open {name}. On the screen stands "{name}" at {place}, and below it: {beside}. '
        f'So I tap on it at {place}.</think>\n<answer>do(action="Tap", element={place})</answer>'
    )


PHONE = [
    ("user", f"Open the storage settings. The screen:\n{SCREEN}"),
    ("assistant", step_of("Storage", "[140,670]", "46% used - 34.5 GB free [220,698]")),
    ("user", f"Now the battery. The screen:\n{SCREEN}"),
    ("assistant", step_of("Battery", "[140,580]", "84% - About 1 day left [150,608]")),
    ("user", f"Now the display. The screen:\n{SCREEN}"),
]
READING = [("user", f"Repeat the whole text of this screen word for word, with all places:\n{SCREEN}")]
EXPLANATION = [("user", f"{SCREEN}\n\nWhat can be set on this screen? Answer in three sentences.")]
STORY = [("user", "Tell a long story about a fisherman and the sea.")]


@dataclass(frozen=True)
class Work:
    name: str
    turns: list[tuple[str, str]]
    max_tokens: int
    grammar: str = ""
    streams: int = 1


TRIP = [("user", "Book a trip to Rome, as JSON.")]
WORKS = (
    Work("JSON schema, 8 fields", TRIP, 200, json_schema_grammar(BOOKING, param="")),
    Work("phone session, third step", PHONE, 120),
    Work("a screen read aloud", READING, 150),
    Work("a story", STORY, 100),
    Work("an explanation", EXPLANATION, 100),
    Work("a screen read by 4 streams at once", READING, 80, streams=4),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    tokens_per_s: float
    num_tokens: int
    num_steps: int


class House:
    """One backend, and an engine loop over it for each answer."""

    def __init__(self, gguf: Path, threads: int, max_draft: int) -> None:
        self._max_draft = max_draft
        self._tokenizer = Tokenizer(read_metadata(gguf))
        self._limits = {"max_model_len": 4096, "kv_tokens": 8192, "max_running": 8, "max_cached": 0}
        config = self._engine_config(speculation=True)
        backend_config = LlamaCppConfig(
            gguf, config.kv_tokens, config.max_slots, config.max_step_tokens, threads, config.max_draft
        )
        self._backend = LlamaCppBackend(backend_config, LlamaLibrary())

    def _engine_config(self, *, speculation: bool) -> EngineConfig:
        return EngineConfig(
            **self._limits, idle_kv_tokens=0, spill_bytes=0, speculation=speculation, max_draft=self._max_draft
        )

    def _prompt(self, turns: list[tuple[str, str]]) -> Prompt:
        special, encode = self._tokenizer.special_tokens, self._tokenizer.encode
        start, end = special["<|im_start|>"], special["<|im_end|>"]
        tokens = [token for role, said in turns for token in (start, *encode(f"{role}\n{said}"), end, *encode("\n"))]
        return Prompt((*tokens, start, *encode("assistant\n")))

    def run(self, work: Work, sampling: SamplingParams, *, speculation: bool) -> Run:
        loop = EngineLoop(self._engine_config(speculation=speculation), self._backend)
        prompt, stops = self._prompt(work.turns), self._tokenizer.eos_tokens
        for stream in range(work.streams):
            name = RequestId(str(stream))
            loop.submit(Request(name, prompt, sampling, work.max_tokens, stops, work.grammar))
        num_tokens, num_steps, start_s = 0, 0, 0.0
        streaming: set[RequestId] = set()
        while loop.has_work:
            events = loop.step()
            if loop.is_held_up:  # to spin would keep the GIL from the thread that compiles
                time.sleep(GRAMMAR_POLL_S)
            if len(streaming) < work.streams:
                streaming |= {request_id for request_id, _ in events}
                start_s = time.perf_counter()
            else:
                num_tokens += sum(len(event.tokens) for _, event in events)
                num_steps += 1
        return Run(num_tokens / (time.perf_counter() - start_s), num_tokens, num_steps)


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True, help="the decoder's file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--max-draft", type=int, default=EngineConfig.max_draft, help="0: only what grammars force")
    parser.add_argument("--only", default="", help="works whose name holds this")
    parser.add_argument("--temperature", type=float, default=0.0)
    arguments = parser.parse_args()
    house = House(arguments.gguf, arguments.threads, arguments.max_draft)
    sampling = SamplingParams(temperature=arguments.temperature, seed=1)
    print(
        "| work | without [tok/s] | with [tok/s] | ratio | tokens in steps, without | with |\n|---|---|---|---|---|---|"
    )
    for work in (work for work in WORKS if arguments.only in work.name):
        house.run(work, sampling, speculation=True)  # the grammar is compiled before it counts
        pairs = [
            [house.run(work, sampling, speculation=speculation) for speculation in (False, True)]
            for _ in range(arguments.rounds)
        ]
        speeds = [spread([pair[side].tokens_per_s for pair in pairs], 1) for side in (0, 1)]
        ratio = spread([on.tokens_per_s / off.tokens_per_s for off, on in pairs], 2)
        steps = [f"{run.num_tokens} in {run.num_steps}" for run in pairs[-1]]
        print(f"| {work.name} | {' | '.join(speeds)} | {ratio} | {' | '.join(steps)} |", flush=True)


if __name__ == "__main__":
    main()
