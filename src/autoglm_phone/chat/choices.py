"""Several answers to one prompt, interleaved as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from autoglm_phone.chat.delta import Delta

_MAX_QUEUED = 64  # a slow reader holds the answers back, not the memory of the server

MakeChoice = Callable[[int], AsyncGenerator[Delta, None]]


async def interleave(make: MakeChoice, count: int) -> AsyncGenerator[Delta, None]:
    """Deltas of `count` choices. The first failure ends all of them and is raised.

    The others begin once the first has said something: its prompt is in the KV cache then, and they share it.
    """
    queue: asyncio.Queue[Delta | Exception | None] = asyncio.Queue(_MAX_QUEUED)
    tasks = [asyncio.create_task(_pump(make(0), queue))]
    num_open = count
    try:
        while num_open:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                num_open -= 1
            if len(tasks) == 1:
                tasks += [asyncio.create_task(_pump(make(index), queue)) for index in range(1, count)]
            if item is not None:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(deltas: AsyncGenerator[Delta, None], queue: "asyncio.Queue[Delta | Exception | None]") -> None:
    """None says that this choice is complete."""
    try:
        async with aclosing(deltas):
            async for delta in deltas:
                await queue.put(delta)
        await queue.put(None)
    except Exception as error:  # the top of this task: whoever takes is told
        await queue.put(error)
