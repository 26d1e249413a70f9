"""Both doors to the engine: what is refused, what a leaver frees, and that nobody waits for the dead."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from llguidance import LLMatcher

from autoglm_phone.backends.fake.backend import FakeBackend, choose_by_hash
from autoglm_phone.core.errors import ContextLengthExceeded, InvalidRequest, NotReady, Overloaded, WorkerDied
from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import EngineDoor, Request, SamplingParams
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import EngineLoop
from autoglm_phone.engine.local_engine import LocalEngine
from autoglm_phone.engine.open_requests import OpenRequests
from autoglm_phone.engine.process_engine import ProcessEngine
from autoglm_phone.ipc.process import Backoff, ProcessOptions

CONFIG = EngineConfig(max_model_len=4000, kv_tokens=20_000, max_running=4, max_waiting=2)
PATIENT_S = 20.0
POISON = 4242


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not condition():  # noqa: ASYNC110 - the status has no event, and a user polls it too
            await asyncio.sleep(0.005)


@asynccontextmanager
async def process_door() -> AsyncIterator[ProcessEngine]:
    options = ProcessOptions(env={"PYTHONPATH": str(Path(__file__).parent)}, backoff=Backoff(first_s=0.0, max_s=0.0))
    engine = ProcessEngine(CONFIG, "fake_engine_process", msgspec.json.encode(CONFIG), options)
    await engine.start()
    try:
        await until(lambda: engine.status().state == "ready")
        yield engine
    finally:
        await engine.stop()


@asynccontextmanager
async def local_door() -> AsyncIterator[LocalEngine]:
    backend = FakeBackend(choose_by_hash(100), num_slots=CONFIG.max_slots, kv_tokens=CONFIG.kv_tokens)
    engine = LocalEngine(EngineLoop(CONFIG, backend), OpenRequests(CONFIG))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


Door = Callable[[], AbstractAsyncContextManager[EngineDoor]]
both_doors = pytest.mark.parametrize("door", [process_door, local_door])


def ask(name: str, *, prompt: tuple[int, ...] = (5, 6, 7), max_tokens: int = 20, grammar: str = "") -> Request:
    tokens = tuple(TokenId(token) for token in prompt)
    return Request(RequestId(name), Prompt(tokens), SamplingParams(temperature=0.0), max_tokens, grammar=grammar)


async def answer(engine: EngineDoor, request: Request) -> list[TokenId]:
    return [token async for event in engine.generate(request) for token in event.tokens]


def run(test: Coroutine[None, None, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENT_S):
            await test

    asyncio.run(limited())


def test_both_doors_give_the_same_text() -> None:
    async def texts() -> None:
        async with process_door() as far, local_door() as near:
            requests = [ask(f"r{k}", prompt=tuple(range(1, 9 + k))) for k in range(4)]
            from_far = await asyncio.gather(*(answer(far, request) for request in requests))
            assert from_far == await asyncio.gather(*(answer(near, request) for request in requests))
            assert [len(text) for text in from_far] == [20] * 4

    run(texts())


@both_doors
def test_a_leaver_frees_its_slot(door: Door) -> None:
    async def leave() -> None:
        async with door() as engine:
            async with aclosing(engine.generate(ask("leaver", max_tokens=3000))) as events:
                await anext(events)
            await until(lambda: engine.status().running == 0)
            assert engine.status().waiting == 0
            assert len(await answer(engine, ask("next"))) == 20

    run(leave())


@both_doors
def test_what_cannot_run_is_refused_at_once(door: Door) -> None:
    async def refuse() -> None:
        async with door() as engine:
            with pytest.raises(ContextLengthExceeded, match="context_length_exceeded"):
                await answer(engine, ask("long", max_tokens=3998))
            with pytest.raises(InvalidRequest):
                await answer(engine, ask("empty", prompt=()))
            streams = [engine.generate(ask(f"r{k}", max_tokens=3000)) for k in range(6)]
            first = [asyncio.ensure_future(anext(stream)) for stream in streams]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await answer(engine, ask("one too many"))
            await asyncio.gather(*first[:4])
            for task in first:
                task.cancel()
            await asyncio.gather(*first, return_exceptions=True)
            for stream in streams:
                await stream.aclose()
            assert len(await answer(engine, ask("later"))) == 20

    run(refuse())


def test_when_the_process_is_killed_every_stream_hears_of_it_and_new_ones_are_served() -> None:
    async def kill() -> None:
        async with process_door() as engine:
            streams = [engine.generate(ask(f"r{k}", max_tokens=3000)) for k in range(4)]
            await asyncio.gather(*(anext(stream) for stream in streams))
            pid = engine.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            for stream in streams:
                with pytest.raises(WorkerDied, match="restarted"):
                    async for _ in stream:
                        pass
            with pytest.raises(NotReady):
                await answer(engine, ask("too early"))
            assert engine.status().state != "ready"
            await until(lambda: engine.status().state == "ready")
            assert len(await answer(engine, ask("again"))) == 20
            assert engine.status().restarts == 1
            assert engine.status().pid != pid

    run(kill())


def test_a_failed_step_ends_all_and_is_recovered_from() -> None:
    async def poison() -> None:
        async with process_door() as engine:
            bystander = engine.generate(ask("bystander", max_tokens=3000))
            await anext(bystander)
            with pytest.raises(WorkerDied, match="poison"):
                await answer(engine, ask("poison", prompt=(1, POISON)))
            with pytest.raises(WorkerDied, match="poison"):
                async for _ in bystander:
                    pass
            await until(lambda: engine.status().state == "ready")
            assert len(await answer(engine, ask("again"))) == 20

    run(poison())


@both_doors
def test_an_answer_follows_its_grammar_beside_one_that_cannot(door: Door) -> None:
    async def follow() -> None:
        async with door() as engine:
            impossible = asyncio.ensure_future(answer(engine, ask("impossible", grammar="start: absent")))
            plain = asyncio.ensure_future(answer(engine, ask("plain")))
            digits = await answer(engine, ask("digits", grammar=LLMatcher.grammar_from_regex("[0-9]{20,30}")))
            assert bytes(digits).decode().isdigit()
            assert len(digits) == 20
            with pytest.raises(InvalidRequest, match="absent") as caught:
                await impossible
            assert caught.value.param == "response_format"
            assert len(await plain) == 20

    run(follow())
