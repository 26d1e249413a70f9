"""Handover: one worker at a time takes newcomers, and whoever began on an earlier one ends there.

Lives on the event loop. Knows nothing of what a worker does; its owner brings the new one up before it hands over.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from autoglm_phone.core.errors import WorkerDied

POLL_S = 0.02

T = TypeVar("T")


@dataclass(eq=False)
class _Shift(Generic[T]):
    """A worker and how many use it now."""

    worker: T
    num_users: int = 0
    is_idle: asyncio.Event = field(default_factory=asyncio.Event)


class Handover(Generic[T]):
    """end: called once for each worker, when nobody uses it any more or at `stop`."""

    def __init__(self, first: T, end: Callable[[T], Awaitable[None]]) -> None:
        self._now = _Shift(first)
        self._end = end
        self._leaving: dict[asyncio.Task[None], _Shift[T]] = {}

    @property
    def current(self) -> T:
        return self._now.worker

    @property
    def leaving(self) -> list[tuple[T, int]]:
        """Workers that still have users, and how many."""
        return [(shift.worker, shift.num_users) for shift in self._leaving.values()]

    @contextlib.contextmanager
    def using(self) -> Iterator[T]:
        """The current worker, which is not ended before this is left."""
        shift = self._now
        shift.num_users += 1
        shift.is_idle.clear()
        try:
            yield shift.worker
        finally:
            shift.num_users -= 1
            if not shift.num_users:
                shift.is_idle.set()

    def hand_over(self, new: T) -> None:
        """`new` takes those who come from now on. The old one is ended as soon as its users have gone."""
        old, self._now = self._now, _Shift(new)
        if not old.num_users:
            old.is_idle.set()
        task = asyncio.create_task(self._see_off(old), name="see a worker off")
        self._leaving[task] = old
        task.add_done_callback(self._leaving.pop)

    async def stop(self) -> None:
        """End all of them now, whoever uses them."""
        for shift in self._leaving.values():
            shift.is_idle.set()
        await asyncio.gather(*self._leaving)
        await self._end(self._now.worker)

    async def _see_off(self, shift: _Shift[T]) -> None:
        await shift.is_idle.wait()
        await self._end(shift.worker)


class _Status(Protocol):
    @property
    def state(self) -> str: ...

    @property
    def restarts(self) -> int: ...

    @property
    def error(self) -> str: ...


class Candidate(Protocol):
    """A supervised process that may take over."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> _Status: ...


async def bring_up(candidate: Candidate) -> None:
    """Come back once it is ready. If its first life ends before that, it is stopped and WorkerDied says why."""
    try:
        await candidate.start()
        while (status := candidate.status()).state != "ready":
            if status.restarts or (status.state == "failed" and status.error):
                raise WorkerDied(status.error)
            await asyncio.sleep(POLL_S)
    except BaseException:
        await candidate.stop()
        raise
