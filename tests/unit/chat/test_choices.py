"""Several generators as one stream: who begins when, who hears of a failure, and who is closed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from autoglm_phone.chat.choices import interleave
from autoglm_phone.chat.delta import ContentDelta, Delta
from autoglm_phone.core.errors import WorkerDied


class Choices:
    """Each says its number three times; number `dies_at` raises instead of its second word."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.begun: list[int] = []
        self.open = 0
        self._dies_at = dies_at

    async def make(self, index: int) -> AsyncGenerator[Delta, None]:
        self.begun.append(index)
        self.open += 1
        try:
            for word in range(3):
                await asyncio.sleep(0)
                if word == 1 and index == self._dies_at:
                    raise WorkerDied("gone")
                yield ContentDelta(str(word), index)
        finally:
            self.open -= 1


@pytest.mark.parametrize("share_prompt", [True, False])
def test_all_choices_come_whole_and_in_order_of_their_own(share_prompt: bool) -> None:
    async def collect() -> list[Delta]:
        return [delta async for delta in interleave(choices.make, 4, share_prompt=share_prompt)]

    choices = Choices()
    deltas = asyncio.run(collect())
    for index in range(4):
        assert [d for d in deltas if isinstance(d, ContentDelta) and d.choice == index] == [
            ContentDelta(str(word), index) for word in range(3)
        ]
    assert choices.open == 0


def test_the_others_wait_for_the_first_word_of_the_first() -> None:
    async def first_word() -> list[int]:
        async with aclosing(interleave(choices.make, 3, share_prompt=True)) as deltas:
            assert await anext(deltas) == ContentDelta("0", 0)
            return list(choices.begun)

    choices = Choices()
    assert asyncio.run(first_word()) == [0]
    assert choices.open == 0


def test_a_failure_of_one_ends_all() -> None:
    async def collect() -> None:
        async for _ in interleave(choices.make, 3, share_prompt=False):
            pass

    choices = Choices(dies_at=1)
    with pytest.raises(WorkerDied):
        asyncio.run(collect())
    assert choices.open == 0


def test_leaving_early_closes_all() -> None:
    async def leave() -> None:
        async with aclosing(interleave(choices.make, 3, share_prompt=False)) as deltas:
            await anext(deltas)

    choices = Choices()
    asyncio.run(leave())
    assert choices.open == 0
