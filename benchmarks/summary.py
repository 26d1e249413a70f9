"""Arithmetic of samples: medians with their spread, percentiles, arrivals, goodput."""

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent are not above (nearest rank). Raises ValueError if empty."""
    if not values:
        raise ValueError("no values, no percentile")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def figure(value: float) -> str:
    """Three digits, or all of those before the point: 0.123, 12.3, 1,234."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    return f"{figure(statistics.median(values))} ({figure(min(values))}–{figure(max(values))})"


def poisson_arrivals_s(rate: float, duration_s: float, seed: int) -> list[float]:
    """Seconds at which requests come, `rate` a second on average; the same seed gives the same."""
    rng = random.Random(seed)
    arrivals: list[float] = []
    second = rng.expovariate(rate)
    while second < duration_s:
        arrivals.append(second)
        second += rng.expovariate(rate)
    return arrivals


@dataclass(frozen=True)
class Slo:
    """What a request must keep to in order to count: seconds to the first text, and between texts (95th percentile)."""

    ttft_s: float
    itl_p95_s: float

    def is_met(self, ttft_s: float, gaps_s: Sequence[float]) -> bool:
        return ttft_s <= self.ttft_s and (not gaps_s or percentile(gaps_s, 95) <= self.itl_p95_s)
