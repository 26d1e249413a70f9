"""How every question is asked: all sides started once and warmed, then rounds in turn, and all of it kept as JSON."""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import peer_mmproj
from benchmarks.client import ChatClient
from benchmarks.media import picture_part, sound_part
from benchmarks.processes import cpu_s, free_port, resident_bytes, running
from benchmarks.prompts import SYSTEM, made_up_text, user
from benchmarks.record import Taken, save, to_record
from benchmarks.sides import ROOT, Side, chosen


@dataclass(frozen=True)
class Round:
    """number counts from 0; the same number means the same prompts on every side, and others than before."""

    client: ChatClient
    number: int
    options: argparse.Namespace

    @property
    def seed(self) -> int:
        return 1000 * (self.number + 1)


@dataclass(frozen=True)
class Question:
    """name: the file of the results. wanted: the ratio to the better peer to reach, for nano and for nano-plus.

    needs_media: there is nothing to measure without --media, and the peers get ears and eyes.
    """

    name: str
    title: str
    once: Callable[[Round], Awaitable[Taken]]
    wanted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    needs_media: bool = False


def parser(doc: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--model", default="autoglm-phone-nano", help="what ours serves: a bundle or a GGUF file")
    made.add_argument("--gguf", type=Path, help="the decoder's file for the peers (default: that of the bundle)")
    made.add_argument("--out", type=Path, default=ROOT / "build/bench", help="folder for results (build/bench)")
    made.add_argument("--sides", help="names of sides, with commas (default: all)")
    made.add_argument("--media", type=Path, default=ROOT.parent / "shared/data", help="folder with audio/ and screens/")
    made.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the peers; ours takes all cores")
    made.add_argument("--extra", default="", help="further arguments of ours, in one string")
    made.add_argument("--variant", action="append", default=[], help="ours with these arguments, as another side")
    made.add_argument("--checkout", action="append", default=[], type=Path, help="another commit of ours, likewise")
    return made


def ask(question: Question, options: argparse.Namespace) -> None:
    """Measure, print a line a round, write the results."""
    if question.needs_media and not (options.media / "screens").is_dir():
        print(f"{question.name}: skipped, {options.media} holds no screens and sounds; --media names another folder")
        return
    asyncio.run(_ask(question, options))


async def _ask(question: Question, options: argparse.Namespace) -> None:
    sides = sides_of(question, options)
    notes: dict[str, dict[str, Any]] = {side.name: describe(side) for side in sides}
    rounds: dict[str, list[Taken]] = {side.name: [] for side in sides if not side.absent}
    with tempfile.TemporaryDirectory() as folder:
        async with contextlib.AsyncExitStack() as stack:
            open_sides: dict[str, tuple[ChatClient, int]] = {}
            for number, side in enumerate(side for side in sides if not side.absent):
                log = Path(folder) / f"{number}.log"
                port = free_port()
                process = stack.enter_context(running(side.command(port), log, side.environment))
                client = ChatClient(f"http://127.0.0.1:{port}")
                stack.push_async_callback(client.close)
                try:
                    await warm(client, question, options)
                    open_sides[side.name] = client, process.pid
                except Exception as error:  # a peer that does not start is said to be absent, and the others go on
                    notes[side.name]["absent"] = f"did not start: {error!r}; {_last_line(log)}"
            for number in range(options.rounds):
                names = [name for name in rounds if name in open_sides]
                for name in names if number % 2 == 0 else reversed(names):
                    try:
                        taken = await _turn(question, options, number, name, open_sides, notes)
                    except Exception as error:  # likewise one that breaks down
                        notes[name]["failed"] = f"in round {number + 1}: {error!r}"
                        print(f"{question.name}: {name} failed in round {number + 1}: {error!r}", flush=True)
                        del open_sides[name]
                        continue
                    rounds[name].append(taken)
                    print(f"{question.name}, round {number + 1}, {name}: {json.dumps(taken.values)}", flush=True)
            for name, (_, pid) in open_sides.items():
                notes[name]["resident_mb"] = round(resident_bytes(pid) / 1e6)
    if not any(rounds.values()):
        raise SystemExit(f"{question.name}: no side was measured: {json.dumps(notes, ensure_ascii=False)}")
    record = to_record(question.name, question.title, options.model, question.wanted, notes, rounds)
    target = save(record, options.out)
    print(f"{question.name}: written to {target}", flush=True)


async def _turn(
    question: Question,
    options: argparse.Namespace,
    number: int,
    name: str,
    open_sides: Mapping[str, tuple[ChatClient, int]],
    notes: dict[str, dict[str, Any]],
) -> Taken:
    """One round of one side, and what share of a core the idle sides took of it."""
    others = [pid for other, (_, pid) in open_sides.items() if other != name]
    before_s, start_s = sum(map(cpu_s, others)), time.perf_counter()
    taken = await question.once(Round(open_sides[name][0], number, options))
    share = (sum(map(cpu_s, others)) - before_s) / (time.perf_counter() - start_s)
    notes[name]["idle_others"] = round(max(share, notes[name].get("idle_others", 0.0)), 4)
    return taken


async def warm(client: ChatClient, question: Question, options: argparse.Namespace) -> None:
    """All weights have been touched once before the clock starts, and every buffer is there."""
    await client.wait_until_ready()
    await client.chat([SYSTEM, user(made_up_text(0, 150))], 16)
    if question.needs_media:
        for part in (picture_part(options.media, -1), sound_part(options.media, -1)):
            await client.chat([SYSTEM, user([part])], 4)


def sides_of(question: Question, options: argparse.Namespace) -> list[Side]:
    gguf = decoder(options)
    mmproj = None
    if question.needs_media:
        mmproj = options.out / f"mmproj-{gguf.stem}.gguf"
        if not mmproj.exists():
            options.out.mkdir(parents=True, exist_ok=True)
            whisper = _files("autoglm-phone-nano", "speech")[0].with_name("model.bin")  # the first one stands beside it
            peer_mmproj.build(gguf, whisper, mmproj)
    return chosen(options, gguf, mmproj)


def describe(side: Side) -> dict[str, Any]:
    if side.absent:
        return {"absent": side.absent}
    return {
        "version": side.version,
        "kernels": side.kernels,
        "command": " ".join(Path(word).name if "/" in word else word for word in side.command(0)),
    }


def decoder(options: argparse.Namespace) -> Path:
    """The file of the decoder that all sides run."""
    given: Path | None = options.gguf
    if given is None:
        given = Path(options.model) if options.model.endswith(".gguf") else _files(options.model, "text")[0]
    return given


def _files(model: str, module: str) -> list[Path]:
    command = [sys.executable, "-m", "autoglm_phone.cli.main", "models", "where", model, "--module", module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    return [Path(line.split("\t")[-1]) for line in done.stdout.splitlines()]


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
