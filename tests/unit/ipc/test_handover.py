import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import pytest

from autoglm_phone.core.errors import WorkerDied
from autoglm_phone.ipc.handover import Handover, bring_up


@dataclass
class Ended:
    names: list[str] = field(default_factory=list)
    is_there: asyncio.Event = field(default_factory=asyncio.Event)

    async def end(self, name: str) -> None:
        self.names.append(name)
        self.is_there.set()


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def test_who_began_on_the_old_one_ends_there() -> None:
    async def test() -> None:
        ended = Ended()
        handover = Handover("old", ended.end)
        with handover.using() as first, handover.using():
            handover.hand_over("new")
            with handover.using() as second:
                assert (first, second, handover.current) == ("old", "new", "new")
            assert handover.leaving == [("old", 2)]
            assert ended.names == []
        await ended.is_there.wait()
        assert ended.names == ["old"]
        await handover.stop()
        assert (ended.names, handover.leaving) == (["old", "new"], [])

    run(test())


def test_one_that_nobody_uses_is_ended_at_once() -> None:
    async def test() -> None:
        ended = Ended()
        handover = Handover("old", ended.end)
        with handover.using():
            pass
        handover.hand_over("new")
        await ended.is_there.wait()
        assert ended.names == ["old"]

    run(test())


def test_a_user_that_fails_lets_go() -> None:
    async def test() -> None:
        ended = Ended()
        handover = Handover("old", ended.end)

        def fail() -> None:
            with handover.using():
                handover.hand_over("new")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        await ended.is_there.wait()

    run(test())


def test_stopping_waits_for_nobody() -> None:
    async def test() -> None:
        ended = Ended()
        handover = Handover("old", ended.end)
        with handover.using():
            handover.hand_over("new")
            await handover.stop()
            assert ended.names == ["old", "new"]

    run(test())


@dataclass
class Status:
    state: str
    restarts: int = 0
    error: str = ""


@dataclass
class FakeCandidate:
    """Goes through its statuses, one a look."""

    statuses: list[Status]
    is_stopped: bool = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.is_stopped = True

    def status(self) -> Status:
        return self.statuses.pop(0)


def test_a_candidate_is_there_once_it_is_ready() -> None:
    candidate = FakeCandidate([Status("loading"), Status("loading"), Status("ready")])
    run(bring_up(candidate))
    assert not candidate.is_stopped


@pytest.mark.parametrize("last", [Status("failed", error="no memory"), Status("loading", 1, "no memory")])
def test_a_candidate_that_dies_is_given_up(last: Status) -> None:
    candidate = FakeCandidate([Status("loading"), last])
    with pytest.raises(WorkerDied, match="no memory"):
        run(bring_up(candidate))
    assert candidate.is_stopped
