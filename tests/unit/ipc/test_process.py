import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest

from autoglm_phone.core.errors import Overloaded, WorkerDied
from autoglm_phone.ipc.process import Backoff, ProcessOptions, ProcessState, SupervisedProcess

HERE = str(Path(__file__).parent)
AT_ONCE = Backoff(first_s=0.0, max_s=0.0)
PATIENT_S = 20.0  # a test that fails ends after this; none waits for it


class Owner:
    """Writes down what it is told; each list can be waited for."""

    def __init__(self, config: str, options: ProcessOptions) -> None:
        self.frames: list[bytes] = []
        self.ups = 0
        self.downs: list[str] = []
        self.states_when_down: list[ProcessState] = []
        self._changed = asyncio.Event()
        self.process = SupervisedProcess(
            "test",
            "children",
            config.encode(),
            on_frame=self._take,
            on_up=self._come_up,
            on_down=self._go_down,
            options=options,
        )

    def _take(self, frame: bytes) -> None:
        if frame == b"indigestible":
            raise KeyError(frame)
        self.frames.append(frame)
        self._changed.set()

    def _come_up(self) -> None:
        self.ups += 1
        self._changed.set()

    def _go_down(self, reason: str) -> None:
        self.downs.append(reason)
        self.states_when_down.append(self.process.state)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def options(backoff: Backoff = AT_ONCE, **more: object) -> ProcessOptions:
    return ProcessOptions(env={"PYTHONPATH": HERE}, backoff=backoff, **more)  # type: ignore[arg-type]  # test's shorthand


@contextlib.asynccontextmanager
async def running(config: str, how: ProcessOptions | None = None) -> AsyncIterator[Owner]:
    owner = Owner(config, how or options())
    await owner.process.start()
    try:
        yield owner
    finally:
        await owner.process.stop()


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(test)


def test_frames_go_there_and_back_in_order() -> None:
    async def test() -> None:
        async with running("echo") as owner:
            await owner.until(lambda: owner.ups == 1)
            sent = [b"", b"a", os.urandom(1 << 20), b"b"]
            for frame in sent:
                owner.process.send(frame)
            await owner.until(lambda: len(owner.frames) == len(sent))
            assert owner.frames == sent
            assert owner.process.state == "ready"
        assert owner.downs == ["stopped"]
        assert owner.states_when_down == ["stopped"]

    run(test())


def test_child_takes_what_is_there_without_waiting_for_more() -> None:
    async def test() -> None:
        async with running("batches") as owner:
            await owner.until(lambda: owner.ups == 1)
            for value in range(100):
                owner.process.send(b"%d" % value)
            await owner.until(lambda: len(owner.frames) == 100)
            assert owner.frames == [b"%d" % value for value in range(100)]

    run(test())


def test_killed_child_is_reported_once_and_replaced() -> None:
    async def test() -> None:
        async with running("echo") as owner:
            await owner.until(lambda: owner.ups == 1)
            first = owner.process.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await owner.until(lambda: owner.downs != [])
            assert not owner.process.is_ready
            with pytest.raises(WorkerDied, match="the test process is not running"):
                owner.process.send(b"lost")
            await owner.until(lambda: owner.ups == 2)
            assert owner.downs == ["killed by SIGKILL"]
            assert owner.process.restarts == 1
            assert owner.process.pid != first
            owner.process.send(b"again")
            await owner.until(lambda: owner.frames == [b"again"])

    run(test())


def test_kill_says_why() -> None:
    async def test() -> None:
        async with running("deaf") as owner:
            await owner.until(lambda: owner.ups == 1)
            owner.process.kill("hung at page 3")
            await owner.until(lambda: owner.ups == 2)
            assert owner.downs == ["hung at page 3"]

    run(test())


@pytest.mark.parametrize(
    ("config", "reason"),
    [("cannot load:no such model", "no such model"), ("crashes", "ZeroDivisionError: while loading")],
)
def test_child_that_cannot_load_says_why_and_is_tried_again(config: str, reason: str) -> None:
    async def test() -> None:
        async with running(config) as owner:
            await owner.until(lambda: len(owner.downs) == 3)
            assert owner.downs == [reason] * 3
            assert owner.process.last_error == reason
            assert owner.states_when_down == ["failed"] * 3
            assert owner.ups == 0

    run(test())


def test_crash_loop_waits_longer_each_time() -> None:
    backoff = Backoff(first_s=0.5, factor=2.0, max_s=3.0)
    assert [backoff.delay_s(lives) for lives in (1, 2, 3, 4, 5, 6, 10_000)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_child_that_dies_soon_after_it_was_ready_is_not_restarted_in_a_tight_loop() -> None:
    async def test() -> None:
        async with running("ends:3", options(Backoff(first_s=600.0, max_s=600.0))) as owner:
            await owner.until(lambda: len(owner.downs) == 2)
            await asyncio.sleep(0)
            assert owner.downs == ["ended with exit code 3"] * 2
            assert owner.process.state == "failed"
            assert owner.process.pid is None
        assert len(owner.downs) == 2

    run(test())


def test_stable_lives_are_replaced_at_once_every_time() -> None:
    async def test() -> None:
        async with running("ends:0", options(Backoff(first_s=600.0, stable_s=0.0))) as owner:
            await owner.until(lambda: len(owner.downs) == 4)

    run(test())


def test_child_that_is_never_ready_is_killed() -> None:
    async def test() -> None:
        async with running("never ready", options(ready_timeout_s=0.01)) as owner:
            await owner.until(lambda: len(owner.downs) == 1)
            assert owner.downs == ["not ready after 0.01 s"]

    run(test())


def test_payload_sent_before_ready_arrives_before() -> None:
    async def test() -> None:
        async with running("early payload") as owner:
            await owner.until(lambda: owner.ups == 1)
            assert owner.frames == [b"first"]

    run(test())


def test_child_inherits_no_keys_and_is_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGLM_API_KEY", "secret")

    async def test() -> None:
        async with running("environment", options(nice=7)) as owner:
            await owner.until(lambda: owner.ups == 1)
            variables, place = owner.frames
            assert b"AUTOGLM_API_KEY" not in variables.split()
            assert b"PYTHONPATH" in variables.split()
            # nice counts among processes of one session; a group of its own keeps Ctrl-C away
            assert place == b"7 %d %d" % (os.getsid(0), owner.process.pid or 0)

    run(test())


def test_child_that_speaks_another_protocol_is_killed() -> None:
    async def test() -> None:
        async with running("unknown kind") as owner:
            await owner.until(lambda: owner.downs != [])
            assert owner.downs == [r"the test process sent a frame of unknown kind b'\t'"]

    run(test())


def test_owner_that_fails_on_a_frame_does_not_end_the_supervision() -> None:
    async def test() -> None:
        async with running("echo") as owner:
            await owner.until(lambda: owner.ups == 1)
            owner.process.send(b"indigestible")
            await owner.until(lambda: owner.ups == 2)
            assert owner.downs == ["its owner failed: KeyError: b'indigestible'"]

    run(test())


def test_child_that_does_not_read_fills_a_bounded_buffer() -> None:
    async def test() -> None:
        async with running("deaf", options(max_buffered_bytes=1 << 20)) as owner:
            await owner.until(lambda: owner.ups == 1)
            owner.process.send(bytes(1 << 20))
            with pytest.raises(Overloaded, match="bytes still to read"):
                owner.process.send(bytes(1 << 19))

    run(test())


def test_stop_is_idempotent_and_leaves_no_process() -> None:
    async def test() -> None:
        owner = Owner("deaf", options())
        await owner.process.stop()
        await owner.process.start()
        await owner.process.start()
        await owner.until(lambda: owner.ups == 1)
        pid = owner.process.pid
        assert pid is not None
        await owner.process.stop()
        await owner.process.stop()
        assert owner.downs == ["stopped"]
        assert owner.process.pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await owner.process.start()
        await owner.until(lambda: owner.ups == 2)
        await owner.process.stop()

    run(test())


def test_loop_that_ends_without_stop_leaves_no_process() -> None:
    pids = []

    async def test() -> None:
        owner = Owner("deaf", options())
        await owner.process.start()
        await owner.until(lambda: owner.ups == 1)
        pids.append(owner.process.pid)

    run(test())
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0] or 0, 0)


def test_child_dies_with_its_parent() -> None:
    # The child is deaf: only the kernel's death signal can end it. It holds the parent's stdout, so that the end of
    # that pipe says that both are gone.
    program = """
import asyncio, os, signal, sys
from autoglm_phone.ipc.process import ProcessOptions, SupervisedProcess

async def main():
    up = asyncio.Event()
    process = SupervisedProcess("test", "children", b"deaf", on_frame=print, on_up=up.set, on_down=print,
                                options=ProcessOptions(env={"PYTHONPATH": sys.argv[1]}))
    await process.start()
    await up.wait()
    os.write(1, b"%d" % process.pid)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program, HERE], stdout=subprocess.PIPE, timeout=PATIENT_S, check=False)
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0


def test_a_child_launched_before_the_loop_is_taken_over() -> None:
    owner = Owner("echo", options())
    owner.process.launch()
    pid = owner.process.pid

    async def test() -> None:
        await owner.process.start()
        try:
            await owner.until(lambda: owner.ups == 1)
            assert (owner.process.pid, owner.process.restarts) == (pid, 0)
            owner.process.send(b"hello")
            await owner.until(lambda: owner.frames == [b"hello"])
            owner.process.kill("the test says so")
            await owner.until(lambda: owner.ups == 2)
        finally:
            await owner.process.stop()

    run(test())
    assert owner.downs[0] == "the test says so"
    assert owner.process.pid is None


def test_a_child_that_died_before_the_loop_is_started_again() -> None:
    owner = Owner("ends:3", options())
    owner.process.launch()
    pid = owner.process.pid
    assert pid is not None
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    async def test() -> None:
        await owner.process.start()
        await owner.until(lambda: len(owner.downs) == 2)
        await owner.process.stop()

    run(test())
    assert owner.downs[0] == "ended with exit code 3"
