"""Work that ends when the client hangs up."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")


class HungUp(Exception):
    """The client has gone; there is nobody left to answer."""


async def unless_hung_up(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, or HungUp as soon as the client disconnects; the work is then cancelled and has ended.

    The body must have been read before, because whatever else the client sends is dropped.
    """
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_disconnect(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise HungUp
        return working.result()
    finally:
        await end_task(watching)
        await end_task(working)


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel and wait until its `finally` blocks have run; its outcome is not wanted any more."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # asyncio complains of exceptions that nobody has seen


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
