"""Ours beside the better peer: what the ratio of a measure is, and whether it is what was wanted."""

import statistics

from benchmarks.record import Record
from benchmarks.sides import OURS

# By the unit at the end of a measure's name; others, as [tok] and [%], only describe.
MORE_IS_BETTER, LESS_IS_BETTER = ("[tok/s]", "[req/min]"), ("[s]",)


def medians(record: Record, measure: str) -> dict[str, float]:
    found = {}
    for side, rounds in record["rounds"].items():
        if values := [taken[measure] for taken in rounds if measure in taken]:
            found[side] = statistics.median(values)
    return found


def ratio(record: Record, measure: str) -> float | None:
    """Ours, as it is in this checkout, to the better peer; None where there is no better or no other."""
    found = medians(record, measure)
    peers = [value for side, value in found.items() if not side.startswith(OURS)]
    if OURS not in found or not peers:
        return None
    if measure.endswith(MORE_IS_BETTER):
        return found[OURS] / max(peers)
    return found[OURS] / min(peers) if measure.endswith(LESS_IS_BETTER) else None


def is_reached(measure: str, value: float, wanted: float) -> bool:
    return value >= wanted if measure.endswith(MORE_IS_BETTER) else value <= wanted
