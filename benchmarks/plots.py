"""The pictures of docs/performance.md: one overview a model, and a line for each series that a question has."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot  # the backend comes first

from benchmarks.comparison import MORE_IS_BETTER, ratio
from benchmarks.record import Record
from benchmarks.sides import OURS

DOTS_PER_INCH = 90
BAR_INCHES = 0.28


def overviews(records: Sequence[Record], folder: Path) -> dict[str, str]:
    """Model to file: how many times better than the better peer, a bar a measure. Above 1 ours is ahead."""
    files = {}
    for model in dict.fromkeys(record["model"] for record in records):
        gains = {}
        for record in (record for record in records if record["model"] == model):
            for measure in dict.fromkeys(name for taken in record["rounds"].get(OURS, []) for name in taken):
                if (value := ratio(record, measure)) is not None:
                    is_rate = measure.endswith(MORE_IS_BETTER)
                    gains[f"{record['question']}: {measure.rpartition(' [')[0]}"] = value if is_rate else 1 / value
        if gains:
            files[model] = _bars(gains, folder / f"overview-{model}.png")
    return files


def of(record: Record, folder: Path) -> list[str]:
    """Files of a question's own plots: median over the rounds of each step or turn."""
    names = dict.fromkeys(name for rounds in record["series"].values() for taken in rounds for name in taken)
    return [
        _lines(record, name, folder / f"{record['question']}-{record['model']}-{number}.png")
        for number, name in enumerate(names, 1)
    ]


def _bars(gains: dict[str, float], target: Path) -> str:
    figure, axes = pyplot.subplots(figsize=(8, 1 + BAR_INCHES * len(gains)))
    axes.barh(list(gains), list(gains.values()), color=["#2a7" if gain >= 1 else "#c64" for gain in gains.values()])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(ticks := [0.25, 0.5, 1, 2, 4, 8, 16, 32], [f"{tick:g}×" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(min(0.5, *gains.values()) / 1.1, max(2.0, *gains.values()) * 1.1)
    axes.invert_yaxis()
    axes.set_xlabel("as good as the better peer")
    axes.tick_params(labelsize=8)
    return _save(figure, target)


def _lines(record: Record, name: str, target: Path) -> str:
    figure, axes = pyplot.subplots(figsize=(6, 3))
    for side, rounds in record["series"].items():
        if columns := list(zip(*(taken[name] for taken in rounds if name in taken), strict=True)):
            numbers = range(1, len(columns) + 1)
            axes.plot(numbers, [statistics.median(column) for column in columns], marker="o", label=side)
            axes.fill_between(numbers, [*map(min, columns)], [*map(max, columns)], alpha=0.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("turn")
    axes.set_ylabel(name)
    axes.legend(fontsize=8)
    return _save(figure, target)


def _save(figure: Any, target: Path) -> str:
    """Without a date or version inside: the same figures give the same file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=DOTS_PER_INCH, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)
    return target.name
