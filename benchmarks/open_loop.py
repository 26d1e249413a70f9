"""An open loop: requests come when they come, whatever has become of those before.

As guidellm's Poisson strategy does it (exponential pauses, fixed seed); guidellm itself needs torch and transformers.
Times count from when a request was due, so that a stalled client does not make a server look fast.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks.client import Stream


@dataclass(frozen=True)
class Load:
    """refused: how many requests ended in an error."""

    streams: list[Stream]
    refused: int

    @property
    def gaps_s(self) -> list[float]:
        return [gap for stream in self.streams for gap in stream.gaps_s]


async def send(arrivals_s: Sequence[float], request: Callable[[int], Awaitable[Stream]]) -> Load:
    """request(number) sends the number-th request; arrivals_s count from now."""
    begin_s = time.perf_counter()

    async def at(number: int, arrival_s: float) -> Stream:
        due_s = begin_s + arrival_s
        await asyncio.sleep(due_s - time.perf_counter())
        stream = await request(number)
        stream.start_s = due_s
        return stream

    results = await asyncio.gather(*map(at, range(len(arrivals_s)), arrivals_s), return_exceptions=True)
    streams = [result for result in results if isinstance(result, Stream)]
    if not streams:
        raise RuntimeError(f"not one of {len(results)} requests was answered; the first said: {results[:1]}")
    return Load(streams, len(results) - len(streams))
