"""What a run leaves behind: one JSON file a question and model, with all samples and all that one must know of them."""

import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NANO_PLUS = "autoglm-phone-nano-plus"
Record = dict[str, Any]


@dataclass
class Taken:
    """What one round of one side gave. values: measure to number, the unit in brackets at the end of its name.

    series: a number for each turn or step, for plots.
    """

    values: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)


def to_record(
    question: str,
    title: str,
    model: str,
    wanted: Mapping[str, tuple[float, float]],
    notes: Mapping[str, Mapping[str, Any]],
    rounds: Mapping[str, Sequence[Taken]],
) -> Record:
    """notes: what is known of each side. wanted: ratios for nano and nano-plus, of which one is kept."""
    name = Path(model).name
    column = 1 if name == NANO_PLUS else 0
    return {
        "question": question,
        "title": title,
        "model": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", f"benchmarks.{question}", *map(_without_folders, sys.argv[1:])]),
        "machine": machine(),
        "wanted": {measure: ratios[column] for measure, ratios in wanted.items()},
        "sides": notes,
        "rounds": {side: [taken.values for taken in all_taken] for side, all_taken in rounds.items()},
        "series": {side: [taken.series for taken in all_taken] for side, all_taken in rounds.items()},
    }


def save(record: Record, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{record['question']}-{record['model']}.json"
    target.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def machine() -> dict[str, Any]:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": found[1] if found else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _without_folders(word: str) -> str:
    """No folders of this machine in what is published."""
    return Path(word).name if "/" in word else word
