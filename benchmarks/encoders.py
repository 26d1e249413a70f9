"""Who encodes a picture on a CPU: time and memory of each way, with the vision encoder of the 9B's true shapes.

    autoglm-phone synth 9b --out build/9b                                       # random weights; of them the mmproj
    python -m benchmarks.encoders --mmproj build/9b/mmproj-q8_0.gguf --prepare  # graphs for ONNX Runtime, once
    python -m benchmarks.encoders --mmproj build/9b/mmproj-q8_0.gguf

Ways: PyTorch with weights in 8 bits (what is served), in float32, in bfloat16; llama.cpp's mtmd, unmodified, in q8_0;
ONNX Runtime in float32 and in 8 bits. All have the weights of the one file. Each is a process of its own, loaded once;
rounds alternate. Only one computes at a time.

A way that is not there says why. ONNX Runtime needs the package `onnx` for --prepare, and for nothing else.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoder_side import PICTURES, WAYS, prepare
from benchmarks.processes import resident_bytes
from benchmarks.record import Taken, save, to_record
from benchmarks.sides import OURS, ROOT

FIRST = "64 tokens"  # warms each way
LIBRARY = {"mtmd": "xllamacpp", "ONNX": "onnxruntime"}
MODEL = "autoglm-phone-9b"


class Way:
    """A process that encodes."""

    def __init__(self, way: str, options: argparse.Namespace, folder: Path) -> None:
        self.name = side_name(way)
        self._log = folder / f"{way.replace(' ', '-')}.log"
        self.embeddings = folder / f"{way.replace(' ', '-')}.npy"
        command = [sys.executable, "-m", "benchmarks.encoder_side", "--way", way, "--mmproj", str(options.mmproj)]
        command += ["--work", str(options.work), "--threads", str(options.threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=ROOT
            )
        self.thin = options.work / "thin-q8_0.gguf"

    def answer(self) -> dict[str, Any]:
        """Raises RuntimeError if it ended instead."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"{"):  # llama.cpp writes what it likes
                told: dict[str, Any] = json.loads(line)
                return told
        last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"it ended with {self.process.wait()}: {' '.join(last)}")

    def encode(self, rows: int, columns: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        asked = {"rows": rows, "columns": columns, "out": str(self.embeddings)}
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    def memory(self) -> tuple[int, int]:
        """Bytes resident now and at most so far, without the thin decoder's file, which only mtmd needs."""
        thin = mapped_bytes(self.process.pid, self.thin)
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        most = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024
        return resident_bytes(self.process.pid) - thin, most - thin

    def forget_most(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # proc(5): resets VmHWM


def side_name(way: str) -> str:
    if way == "8 bits":
        return OURS
    return way if way.startswith(tuple(LIBRARY)) else f"{OURS} {way}"


def mapped_bytes(pid: int, file: Path) -> int:
    """Pages of a mapped file that are resident in a process."""
    total, is_it = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            is_it = line.endswith(file.name)
        elif is_it and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


@contextlib.contextmanager
def ended(ways: list[Way]) -> Iterator[None]:
    try:
        yield
    finally:
        for way in ways:
            way.process.kill()
            way.process.wait()


def measure(options: argparse.Namespace) -> None:
    rounds: dict[str, list[Taken]] = {}
    notes: dict[str, dict[str, Any]] = {}
    ways: list[Way] = []
    with tempfile.TemporaryDirectory() as folder, ended(ways):
        for name in options.ways.split(","):
            way = Way(name, options, Path(folder))
            ways.append(way)
            notes[way.name] = {"version": version(name), "kernels": f"{options.threads} threads"}
            try:
                load_s = way.answer()["seconds"]
                loaded, most = way.memory()
                way.encode(*PICTURES[FIRST])
            except RuntimeError as error:
                notes[way.name]["absent"] = str(error)
                continue
            values = {"loading [seconds]": load_s, "resident, loaded [MB]": loaded / 1e6}
            rounds[way.name] = [Taken(values | {"at most while loading [MB]": most / 1e6})]
            print(f"{way.name}: {json.dumps(rounds[way.name][0].values)}", flush=True)
        there = [way for way in ways if way.name in rounds]
        for number in range(options.rounds):
            for way in there if number % 2 == 0 else there[::-1]:
                taken = one_round(way)
                rounds[way.name].append(taken)
                print(f"round {number + 1}, {way.name}: {json.dumps(taken.values)}", flush=True)
        for way in there:
            notes[way.name]["resident_mb"] = round(way.memory()[0] / 1e6)
        for name, difference in differences(there).items():
            rounds[name][0].values["difference from float32 [%]"] = 100 * difference
            print(f"{name}: relative difference from float32 {difference:.2e}", flush=True)
    record = to_record("encoders", "Encoding a picture, outside of any server", MODEL, {}, notes, rounds)
    print(f"written to {save(record, options.out)}", flush=True)


def one_round(way: Way) -> Taken:
    values = {}
    for title, size in PICTURES.items():
        way.forget_most()
        told = way.encode(*size)
        values[f"{title} [s]"] = told["seconds"]
        values[f"{title}, resident at most [MB]"] = way.memory()[1] / 1e6
    if told["unpack_s"] is not None:
        values["unpacking every weight once [seconds]"] = told["unpack_s"]
    return Taken(values)


def differences(ways: list[Way]) -> dict[str, float]:
    """Of the last picture's embeddings, by their norm."""
    found = {way.name: np.load(way.embeddings) for way in ways if way.embeddings.exists()}
    exact = found.get(side_name("float32"))
    if exact is None:
        return {}
    return {name: float(np.linalg.norm(one - exact) / np.linalg.norm(exact)) for name, one in found.items()}


def version(way: str) -> str:
    package = next((library for word, library in LIBRARY.items() if way.startswith(word)), "torch")
    return f"{package} {metadata.version(package)}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mmproj", type=Path, required=True, help="of GLM-4.1V's vision encoder, in q8_0")
    options.add_argument("--work", type=Path, default=ROOT / "build/encoders", help="where --prepare writes (5 GB)")
    options.add_argument("--prepare", action="store_true", help="only write what the ways need, where it is missing")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options.add_argument("--ways", default=",".join(WAYS), help=f"of {', '.join(WAYS)}, with commas")
    options.add_argument("--out", type=Path, default=ROOT / "build/bench", help="folder for results (build/bench)")
    chosen = options.parse_args()
    chosen.mmproj, chosen.work = chosen.mmproj.resolve(), chosen.work.resolve()
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.prepare:
        prepare(chosen.mmproj, chosen.work)
    else:
        measure(chosen)


if __name__ == "__main__":
    main()
