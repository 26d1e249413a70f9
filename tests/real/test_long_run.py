"""Many short requests: the server's memory stays where it was."""

import asyncio
from pathlib import Path

import openai
import pytest
from running_server import RunningServer

pytestmark = [pytest.mark.real, pytest.mark.slow]

REQUESTS = 2000
AT_ONCE = 8
GROWTH = 1.03


def resident_bytes(pid: int) -> int:
    """RSS of the server and its processes."""
    todo, total = [pid], 0
    while todo:
        current = todo.pop()
        folder = Path(f"/proc/{current}")
        total += int((folder / "statm").read_text().split()[1]) * 4096
        todo += [int(child) for child in (folder / "task" / str(current) / "children").read_text().split()]
    return total


def test_memory_is_flat_over_two_thousand_requests(server: RunningServer) -> None:
    async def load(numbers: range) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(client: openai.AsyncOpenAI, number: int) -> None:
            async with gate:
                await client.chat.completions.create(
                    model="autoglm-phone-nano",
                    messages=[{"role": "user", "content": f"Say the number {number}."}],
                    max_tokens=4,
                )

        async with openai.AsyncOpenAI(base_url=server.api, api_key="EMPTY", max_retries=0) as client:
            await asyncio.gather(*(one(client, number) for number in numbers))

    # The caches are filled by the first part; after that nothing may grow.
    asyncio.run(load(range(REQUESTS // 4)))
    before = resident_bytes(server.pid)
    asyncio.run(load(range(REQUESTS // 4, REQUESTS)))
    assert resident_bytes(server.pid) <= before * GROWTH
