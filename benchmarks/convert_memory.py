"""What converting the 9B takes: its peak of memory and its time, from a checkpoint of the true shapes.

    python -m benchmarks.convert_memory --folder DIR [--type q4_k_m] [--keep]

The checkpoint has four shards of bfloat16, 20.6 GB, filled with one random block over and over: names and sizes are the
true ones, and so is the work. Delete DIR afterwards (--keep leaves it). A run that is cut off goes on where it was.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from autoglm_phone.convert.planned import Rule
from autoglm_phone.convert.synth import SHAPES
from autoglm_phone.convert.text_map import text_rules
from autoglm_phone.convert.vision_map import vision_rules
from autoglm_phone.weights.checkpoint import INDEX_FILE

SHARDS = 4
BLOCK_BYTES = 64 << 20
TEXT = SHAPES["9b"].text
ROPE = {"rope_theta": 10000.0, "partial_rotary_factor": 0.5, "mrope_section": [8, 12, 12]}
# Everything else is as the configuration has it where a file says nothing.
CONFIG = {"model_type": "glm4v", "text_config": {"rope_parameters": ROPE}, "vision_config": {}}


def write_checkpoint(folder: Path) -> None:
    folder.mkdir(parents=True)
    numbers = np.random.default_rng(0).standard_normal(BLOCK_BYTES // 2, np.float32) * np.float32(0.02)
    block = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards(), 1):
        shard = f"model-{number:05}-of-{SHARDS:05}.safetensors"
        header: dict[str, object] = {}
        at = 0
        for name, shape in names:
            end = at + 2 * int(np.prod(shape))
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": (at, end)}
            weight_map[name], at = shard, end
        text = json.dumps(header).encode()
        with (folder / shard).open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for start in range(0, at, BLOCK_BYTES):
                file.write(block[: at - start])
    (folder / INDEX_FILE).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps(CONFIG))


def shards() -> Iterator[list[tuple[str, tuple[int, ...]]]]:
    rules: list[Rule] = [*text_rules(TEXT), *vision_rules(SHAPES["9b"].vision)]
    shapes = {rule.source: rule.source_shape or rule.shape for rule in rules}
    names = list(shapes.items())
    step = -(-len(names) // SHARDS)
    for start in range(0, len(names), step):
        yield names[start : start + step]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="ranks or tokenizer.json of GLM-4")
    parser.add_argument("--type", default="q4_k_m")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    source, out = arguments.folder / "checkpoint", arguments.folder / "out"
    if not (source / "config.json").is_file():
        write_checkpoint(source)
    command = [sys.executable, "-m", "autoglm_phone.cli.main", "convert", str(source), "--out", str(out)]
    command += ["--type", arguments.type]
    if arguments.type not in ("int8", "int4"):
        command += ["--tokenizer", str(arguments.tokenizer)]
    started = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - started
    peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    written = sum(path.stat().st_size for path in out.iterdir())
    print(f"{arguments.type}: {written / 2**30:.2f} GiB in {seconds:.0f} s, at most {peak_bytes / 1e6:.0f} MB resident")
    if not arguments.keep:
        shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
