"""Results to docs/performance.md: tables and plots between two marks, what people wrote around them is kept.

    python -m benchmarks.report --results build/bench

A table a question and model: median and range of each side, and the ratio of ours to the better peer.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import plots
from benchmarks.comparison import MORE_IS_BETTER, is_reached, ratio
from benchmarks.record import Record
from benchmarks.sides import ROOT
from benchmarks.summary import spread

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
IDLE_LIMIT = 0.02  # of a core: above it, the sides that waited disturbed the one that was measured


def table(record: Record) -> list[str]:
    sides = list(record["rounds"])
    lines = [f"| measure | {' | '.join(sides)} | ratio | wanted |", "|---" * (len(sides) + 3) + "|"]
    measures = dict.fromkeys(name for rounds in record["rounds"].values() for taken in rounds for name in taken)
    for measure in measures:
        cells = []
        for side in sides:
            values = [taken[measure] for taken in record["rounds"][side] if measure in taken]
            cells.append(spread(values) if values else "–")
        lines.append(f"| {measure} | {' | '.join(cells)} | {_verdict(record, measure)} |")
    return lines


def _verdict(record: Record, measure: str) -> str:
    """The last two cells."""
    value, wanted = ratio(record, measure), record["wanted"].get(measure)
    shown = "–" if value is None else f"{value:.3g}"
    if wanted is None:
        return f"{shown} | "
    sign = "≥" if measure.endswith(MORE_IS_BETTER) else "≤"
    reached = "" if value is None else ", reached" if is_reached(measure, value, wanted) else ", not reached"
    return f"{shown} | {sign} {wanted:g}{reached}"


def notes(record: Record) -> list[str]:
    """How it was measured, and what the reader must know of the sides."""
    counts = [len(rounds) for rounds in record["rounds"].values()]
    told = [f"rounds: {max(counts, default=0)}, {record['date'][:10]}: `{record['command']}`"]
    if memory := [f"{side} {it['resident_mb']} MB" for side, it in record["sides"].items() if "resident_mb" in it]:
        told.append(f"memory after it (RSS of all processes): {', '.join(memory)}")
    for side, about in record["sides"].items():
        if "absent" in about:
            told.append(f"{side} is absent: {about['absent']}")
        if "failed" in about:
            told.append(f"{side} broke down {about['failed']}")
        if about.get("idle_others", 0.0) > IDLE_LIMIT:
            told.append(f"beside {side}, the sides that waited took {about['idle_others']:.0%} of a core")
    return [f"- {line}" for line in told]


def header(records: Sequence[Record]) -> list[str]:
    """Machines and sides of all records, each once."""
    machines, sides = dict[str, None](), dict[str, None]()
    for record in records:
        it = record["machine"]
        machines[f"{it['cpu']}, {it['cores']} cores, {it['memory_gb']} GB; {it['system']}; Python {it['python']}"] = (
            None
        )
        for side, about in record["sides"].items():
            if "absent" not in about:
                sides[f"**{side}**: {about['version']}; kernels: {_short(about['kernels'])}"] = None
    return [*(f"- {line}" for line in (*machines, *sides)), ""]


def _short(kernels: str) -> str:
    """llama.cpp writes `AVX2 = 1 | …`; only what is on."""
    return ", ".join(part.strip().removesuffix(" = 1") for part in kernels.split("|") if part.strip())


def section(record: Record, pictures: Sequence[str]) -> list[str]:
    lines = [f"### {record['title']}: {record['model']}", "", *table(record), "", *notes(record), ""]
    for name in pictures:
        lines += [f"![{record['title']}, {record['model']}](plots/{name})", ""]
    return lines


def put_between(page: str, lines: Sequence[str]) -> str:
    """The page with `lines` between its marks. Raises ValueError if it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return "\n".join([before + BEGIN, "", *lines, END]) + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "build/bench", help="folder of JSON files")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/performance.md")
    options = parser.parse_args()
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(options.results.glob("*.json"))]
    if not records:
        raise SystemExit(f"{options.results} holds no results; make bench writes some")
    folder = options.page.parent / "plots"
    lines = header(records)
    for model, name in plots.overviews(records, folder).items():
        lines += [f"![Ours beside the better peer, {model}](plots/{name})", ""]
    for record in records:
        lines += section(record, plots.of(record, folder))
    options.page.write_text(put_between(options.page.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
