"""Spoken commands over /v1/realtime, as fast as they were spoken: how soon the answer begins, and words while speaking.

python -m benchmarks.realtime --media DIR [--clips 12]

A server of our own is started. The end of the speech is where silero hears the last voice of the clip, so the pause
that must show that the turn is over (500 ms) is part of the time to the first text. A table of its own, no peers.
"""

import argparse
import asyncio
import base64
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
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


@dataclass
class Times:
    """Of one clip, in seconds from its first sample."""

    speech_start_s: float
    speech_end_s: float
    drafts: list[float] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    @property
    def draft_gaps(self) -> list[float]:
        moments = [self.speech_start_s, *self.drafts]
        return [after - before for before, after in pairwise(moments)]


async def once(url: str, samples: NDArray[np.int16], times: Times) -> None:
    async with websockets.connect(url) as socket:
        await _until(socket, "session.created", times, 0.0)
        sound = {"input": {"format": {"type": "audio/pcm", "rate": SAMPLE_RATE}}}
        await socket.send(json.dumps({"type": "session.update", "session": {**SESSION, "audio": sound}}))
        await _until(socket, "session.updated", times, 0.0)
        start_s = time.perf_counter()
        speaking = asyncio.create_task(_speak(socket, samples))
        await _until(socket, "response.done", times, start_s)
        speaking.cancel()


async def _speak(socket: Any, samples: NDArray[np.int16]) -> None:
    start_s = time.perf_counter()
    step = round(PIECE_S * SAMPLE_RATE)
    for index, at in enumerate(range(0, len(samples), step)):
        await asyncio.sleep(max(0.0, start_s + (index + 1) * PIECE_S - time.perf_counter()))
        audio = base64.b64encode(samples[at : at + step].astype("<i2").tobytes()).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def _until(socket: Any, kind: str, times: Times, start_s: float) -> None:
    async with asyncio.timeout(60):
        while True:
            event: Mapping[str, Any] = json.loads(await socket.recv())
            now_s = time.perf_counter() - start_s
            if event["type"] == f"{TRANSCRIPT}.delta" and "hypothesis" in event:
                times.drafts.append(now_s)
            times.marks.setdefault(str(event["type"]), now_s)
            if event["type"] == "error":
                raise SystemExit(f"the server says: {event['error']['message']}")
            if event["type"] == kind:
                return


def _clip(path: Path) -> tuple[NDArray[np.int16], Times]:
    levels = decode_sound(path.read_bytes(), MediaLimits(), param=path.name).samples
    voices = get_speech_timestamps(levels, VadOptions(speech_pad_ms=0, min_silence_duration_ms=100))
    times = Times(voices[0]["start"] / SAMPLE_RATE, voices[-1]["end"] / SAMPLE_RATE)
    samples = np.rint(levels * 32767).astype(np.int16)
    return np.concatenate([samples, np.zeros(3 * SAMPLE_RATE, np.int16)]), times


def _spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f}, largest {max(values):.2f} ({len(values)})"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--media", type=Path, default=Path("../shared/data"))
    options.add_argument("--clips", type=int, default=12)
    chosen = options.parse_args()
    paths = sorted((chosen.media / "audio" / "barista_dev").glob("*.wav"))[: chosen.clips]
    port = free_port()
    command = [sys.executable, "-m", "autoglm_phone.cli.main", "serve", "--port", str(port), "--voice", "off"]
    all_times: list[Times] = []
    with tempfile.TemporaryDirectory() as folder, running(command, Path(folder) / "log", {}):
        _wait_until_healthy(port)
        for number, path in enumerate([paths[0], *paths]):
            samples, times = _clip(path)
            asyncio.run(once(f"ws://127.0.0.1:{port}/v1/realtime", samples, times))
            if number > 0:  # the first warms
                all_times.append(times)
    after = [
        ("speech stopped", "input_audio_buffer.speech_stopped"),
        ("transcript completed", f"{TRANSCRIPT}.completed"),
        ("first text of the answer", "response.output_text.delta"),
    ]
    print(json.dumps(machine()))
    for title, mark in after:
        print(f"{title}, s after the end of speech: {_spread([t.marks[mark] - t.speech_end_s for t in all_times])}")
    print(f"between drafts while speaking, s: {_spread([gap for t in all_times for gap in t.draft_gaps])}")


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
