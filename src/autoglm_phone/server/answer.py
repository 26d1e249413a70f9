"""One chat as it is computed: a task owns the generator of deltas, the response takes from its queue.

So the reader may stop waiting at any time, to send a sign of life or because the client has gone, without breaking
the computation; and there is one way to end it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from autoglm_phone.chat.delta import Delta, Started
from autoglm_phone.server.hangup import end_task

# A slow client holds its own chat back, not the memory of the server.
_MAX_QUEUED = 256


class Answer:
    """Whoever makes one must await `aclose`, which closes the generator and with it the computation."""

    def __init__(self, deltas: AsyncGenerator[Delta, None]) -> None:
        self._queue: asyncio.Queue[Delta | Exception] = asyncio.Queue(_MAX_QUEUED)
        self._next: Delta | Exception | None = None
        self._task = asyncio.create_task(self._pump(deltas))

    async def aclose(self) -> None:
        """May be called twice."""
        await end_task(self._task)

    async def start(self, patience_s: float) -> Started:
        """Started, once more is known than that the prompt is good, or the time is over.

        A full queue or a dead engine shows only when the engine is asked, after Started: to wait for it means that
        such an error is raised here, while a status can still be chosen.
        """
        started = await self.take()
        assert isinstance(started, Started)
        if await self.wait(patience_s) and isinstance(self._next, Exception):
            raise self._next
        return started

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Whether there is something to take before the time is over."""
        if self._next is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    self._next = await self._queue.get()
        return self._next is not None

    async def take(self) -> Delta:
        """The next delta. Raises what ended the chat early; must not be called after the last Finished."""
        await self.wait()
        item, self._next = self._next, None
        assert item is not None
        if isinstance(item, Exception):
            raise item
        return item

    async def _pump(self, deltas: AsyncGenerator[Delta, None]) -> None:
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    await self._queue.put(delta)
            raise AssertionError("a chat ends with Finished")  # met only by who takes more than there is
        except Exception as error:  # the edge of this task: whoever takes is told
            await self._queue.put(error)
