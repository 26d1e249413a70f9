"""A generator whose next item may be waited for in turns."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from autoglm_phone.server.hangup import end_task

T = TypeVar("T")


class Ahead(Generic[T]):
    """Whoever stops waiting, to send a sign of life, does not break what is being computed.

    Whoever makes one must await `aclose`, which closes the generator.
    """

    def __init__(self, items: AsyncGenerator[T, None]) -> None:
        self._items = items
        self._next: asyncio.Task[T] | None = None

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Whether there is something to take, or an error to be raised by it, before the time is over."""
        if self._next is None:
            self._next = asyncio.create_task(self._take_next())
        done, _ = await asyncio.wait({self._next}, timeout=timeout_s)
        return bool(done)

    def check(self) -> None:
        """Raise at once what the next `take` would raise, if that is known."""
        if self._next is not None and self._next.done():
            self._next.result()

    async def take(self) -> T:
        """The next item. Must not be called after the last."""
        await self.wait()
        assert self._next is not None
        item, self._next = self._next.result(), None
        return item

    async def aclose(self) -> None:
        """May be called twice."""
        if self._next is not None:
            await end_task(self._next)
        await self._items.aclose()

    async def _take_next(self) -> T:
        return await anext(self._items)
