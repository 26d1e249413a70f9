import asyncio
from collections.abc import AsyncGenerator

import pytest

from autoglm_phone.core.errors import WorkerDied
from autoglm_phone.server.ahead import Ahead


class Items:
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.is_closed = False

    async def give(self) -> AsyncGenerator[int, None]:
        try:
            yield 1
            await self.gate.wait()
            yield 2
            raise WorkerDied("it has died")
        finally:
            self.is_closed = True


def test_waiting_in_vain_breaks_nothing() -> None:
    async def test() -> None:
        items = Items()
        ahead = Ahead(items.give())
        assert await ahead.wait()
        assert await ahead.take() == 1
        for _ in range(3):
            assert not await ahead.wait(0)
            ahead.check()
        items.gate.set()
        assert await ahead.take() == 2
        await ahead.wait()
        with pytest.raises(WorkerDied):
            ahead.check()
        with pytest.raises(WorkerDied):
            await ahead.take()
        await ahead.aclose()

    asyncio.run(test())


@pytest.mark.parametrize("num_taken", [0, 1])
def test_closing_ends_the_generator_whether_it_works_or_not(num_taken: int) -> None:
    async def test() -> None:
        items = Items()
        ahead = Ahead(items.give())
        for _ in range(num_taken):
            await ahead.take()
        await ahead.wait(0)
        await ahead.aclose()
        await ahead.aclose()
        assert items.is_closed

    asyncio.run(test())
