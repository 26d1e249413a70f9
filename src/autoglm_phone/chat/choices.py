"""Several answers to one prompt, interleaved as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from autoglm_phone.chat.delta import Delta

_MAX_QUEUED = 64  # a slow reader holds the answers back, not the memory of the server

MakeChoice = Callable[[int], AsyncGenerator[Delta, None]]


async def interleave(make: MakeChoice, count: int, *, share_prompt: bool) -> AsyncGenerator[Delta, None]:
    """Deltas of `count` generators. The first failure ends all of them and is raised.

    share_prompt: the others begin once the first has said something. Its prompt is in the KV cache then.
    """
    queue: asyncio.Queue[Delta | Exception | None] = asyncio.Queue(_MAX_QUEUED)
    tasks = [asyncio.create_task(_pump(make(index), queue)) for index in range(1 if share_prompt else count)]
    num_open = count
    try:
        while num_open:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                num_open -= 1
            if len(tasks) < count:
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
