"""Spoken commands over /v1/realtime, as fast as they were spoken: how soon the answer begins, and words while speaking.

python -m benchmarks.realtime [--media DIR] [--clips N] [--serve "FLAGS"]

A server of our own is started. The commands are all clips of audio/barista_dev. Two longer sounds are one turn each and
there for the drafts alone: jfk.flac, and what is spoken in eight of the commands. The end of the speech is where silero
hears the last voice, so the pause that must show that the turn is over (500 ms) is part of the time to the first text.
A gap is the time from one draft to the next, or to the last voice. The first draft waits for a first word, so it has a
row of its own. No peers.
"""

import argparse
import asyncio
import base64
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import websockets
from faster_whisper.vad import VadOptions, get_speech_timestamps  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from autoglm_phone.media.audio import SAMPLE_RATE, decode_sound
from autoglm_phone.media.limits import MediaLimits
from benchmarks.processes import free_port, running
from benchmarks.record import machine

PIECE_S = 0.04
TRANSCRIPT = "conversation.item.input_audio_transcription"
SESSION = {"output_modalities": ["text"], "max_output_tokens": 16, "instructions": "Answer in one short sentence."}
# One turn, whatever pauses are in it, and no answer.
LONG_TURN = {"type": "server_vad", "silence_duration_ms": 2500, "create_response": False}
AFTER_SPEECH = (
    ("end of speech to speech_stopped", "input_audio_buffer.speech_stopped"),
    ("end of speech to the transcript", f"{TRANSCRIPT}.completed"),
    ("end of speech to the first text of the answer", "response.output_text.delta"),
)
WANTED_TEXT_S, WANTED_GAP_S = 1.5, 0.8


@dataclass
class Times:
    """Of one sound, in seconds from its first sample. marks: the first event of each kind behind its last voice."""

    speech_start_s: float
    speech_end_s: float
    drafts: list[float] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    @property
    def first_draft_s(self) -> float:
        """Since the first voice; until its end, if there was no draft before."""
        return min([*self.drafts[:1], self.speech_end_s]) - self.speech_start_s

    @property
    def draft_gaps(self) -> list[float]:
        """From draft to draft, and from the last one to the last voice."""
        spoken = [moment for moment in self.drafts if moment < self.speech_end_s]
        return [after - before for before, after in pairwise([*spoken, self.speech_end_s])]


async def once(url: str, samples: NDArray[np.int16], times: Times, *, is_long: bool) -> None:
    """Until the answer to a command has ended, or the words of a long sound are there."""
    last = f"{TRANSCRIPT}.completed" if is_long else "response.done"
    async with websockets.connect(url) as socket:
        await _until(socket, "session.created")
        sound: dict[str, Any] = {"input": {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}}}
        if is_long:
            sound["input"]["turn_detection"] = LONG_TURN
        await socket.send(json.dumps({"type": "session.update", "session": {**SESSION, "audio": sound}}))
        await _until(socket, "session.updated")
        start_s = time.perf_counter()
        speaking = asyncio.create_task(_speak(socket, samples))
        async with asyncio.timeout(90):
            while last not in times.marks:
                _note(json.loads(await socket.recv()), time.perf_counter() - start_s, times)
        speaking.cancel()


async def _speak(socket: Any, samples: NDArray[np.int16]) -> None:
    start_s = time.perf_counter()
    step = round(PIECE_S * SAMPLE_RATE)
    for index, at in enumerate(range(0, len(samples), step)):
        await asyncio.sleep(max(0.0, start_s + (index + 1) * PIECE_S - time.perf_counter()))
        audio = base64.b64encode(samples[at : at + step].astype("<i2").tobytes()).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def _until(socket: Any, kind: str) -> None:
    async with asyncio.timeout(60):
        while json.loads(await socket.recv())["type"] != kind:
            pass


def _note(event: Mapping[str, Any], now_s: float, times: Times) -> None:
    kind = str(event["type"])
    if kind == "error":
        raise SystemExit(f"the server says: {event['error']['message']}")
    if kind == f"{TRANSCRIPT}.delta" and "hypothesis" in event:
        times.drafts.append(now_s)
    # a clip with a pause of 500 ms is two turns; what counts is the answer behind the last
    if now_s > times.speech_end_s:
        times.marks.setdefault(kind, now_s)


def _samples(path: Path) -> NDArray[np.float32]:
    return decode_sound(path.read_bytes(), MediaLimits(), param=path.name).samples


def _spoken(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    voices = get_speech_timestamps(levels, VadOptions(speech_pad_ms=200))
    return levels[voices[0]["start"] : voices[-1]["end"]]


def _sound(levels: NDArray[np.float32]) -> tuple[NDArray[np.int16], Times]:
    voices = get_speech_timestamps(levels, VadOptions(speech_pad_ms=0, min_silence_duration_ms=100))
    times = Times(voices[0]["start"] / SAMPLE_RATE, voices[-1]["end"] / SAMPLE_RATE)
    samples = np.rint(levels * 32767).astype(np.int16)
    return np.concatenate([samples, np.zeros(3 * SAMPLE_RATE, np.int16)]), times


def _row(what: str, values: Sequence[float], *, wanted: str = "") -> str:
    p50, p95 = statistics.median(values), float(np.quantile(values, 0.95))
    return f"| {what} [s] | {p50:.2f} | {p95:.2f} | {max(values):.2f} | {len(values)} | {wanted} |"


def _verdict(value: float, wanted: float) -> str:
    return f"{wanted:g}, {'reached' if value <= wanted else 'missed'}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--media", type=Path, default=Path("../shared/data"))
    options.add_argument("--clips", type=int, default=None, help="how many of the commands (default: all)")
    options.add_argument("--serve", default="", help="more flags for the server")
    chosen = options.parse_args()
    audio: Path = chosen.media / "audio"
    commands = [_samples(path) for path in sorted((audio / "barista_dev").glob("*.wav"))][: chosen.clips]
    long_sounds = [_samples(audio / "jfk.flac"), np.concatenate([_spoken(levels) for levels in commands[:8]])]
    port = free_port()
    serve = [sys.executable, "-m", "autoglm_phone.cli.main", "serve", "--port", str(port), "--voice", "off"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running([*serve, *shlex.split(chosen.serve)], Path(folder) / "log", {}),
    ):
        _wait_until_healthy(port)
        _talk(port, commands[0])  # the first warms
        short = [_talk(port, levels) for levels in commands]
        long = [_talk(port, levels, is_long=True) for levels in long_sounds]
    print(json.dumps(machine()))
    print("| measure | p50 | p95 | largest | samples | wanted |\n|---|---|---|---|---|---|")
    for title, mark in AFTER_SPEECH:
        values = [times.marks[mark] - times.speech_end_s for times in short]
        is_last = mark == AFTER_SPEECH[-1][1]
        verdict = f"p50 ≤ {_verdict(statistics.median(values), WANTED_TEXT_S)}" if is_last else ""
        print(_row(title, values, wanted=verdict))
    for title, sounds in (("commands", short), ("the two long sounds", long)):
        print(_row(f"first voice to the first draft, {title}", [times.first_draft_s for times in sounds]))
        gaps = [gap for times in sounds for gap in times.draft_gaps]
        print(_row(f"from draft to draft, {title}", gaps, wanted=f"all ≤ {_verdict(max(gaps), WANTED_GAP_S)}"))


def _talk(port: int, levels: NDArray[np.float32], *, is_long: bool = False) -> Times:
    samples, times = _sound(levels)
    asyncio.run(once(f"ws://127.0.0.1:{port}/v1/realtime", samples, times, is_long=is_long))
    return times


def _wait_until_healthy(port: int) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).json()["status"] == "ok":
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server did not become healthy")


if __name__ == "__main__":
    main()
