"""LocalEngine: the engine door whose engine runs in a thread of this process, for library use and tests."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

from autoglm_phone.core.errors import AutoGLMError, NotReady, StepFailed
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.request import EngineStatus, Request, TokenEvent
from autoglm_phone.engine.engine_loop import GRAMMAR_POLL_S, EngineLoop
from autoglm_phone.engine.messages import EngineLoad
from autoglm_phone.engine.open_requests import OpenRequests


class LocalEngine:
    """Implements core.request.EngineDoor. Steps run in a worker thread, one at a time; messages go in between."""

    def __init__(self, loop: EngineLoop, open_requests: OpenRequests) -> None:
        self._loop = loop
        self._open = open_requests
        self._inbox: list[Request | RequestId] = []
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._load = EngineLoad()

    async def start(self) -> None:
        self._runner = asyncio.create_task(self._run(), name="engine")

    async def stop(self) -> None:
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)

    def status(self) -> EngineStatus:
        is_up = self._runner is not None and not self._runner.done()
        return self._load.to_status("ready" if is_up else "failed", os.getpid())

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        if self.status().state != "ready":
            raise NotReady("the engine is not running")
        async with aclosing(self._open.stream(request, self._post, self._post)) as events:
            async for event in events:
                yield event

    def _post(self, what: Request | RequestId) -> None:
        self._inbox.append(what)
        self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                if not self._inbox and not self._loop.has_work:
                    self._wake.clear()
                    await self._wake.wait()
                elif self._loop.is_held_up:
                    await asyncio.sleep(GRAMMAR_POLL_S)
                self._take_inbox()
                if self._loop.has_work:
                    for request_id, event in await asyncio.to_thread(self._loop.step):
                        self._open.deliver(request_id, event)
                self._load = self._loop.load()
        except AutoGLMError as error:
            message = str(error)
            self._open.fail_all(lambda: StepFailed(message))
        finally:
            self._open.fail_all(lambda: NotReady("the engine was stopped"))

    def _take_inbox(self) -> None:
        posted, self._inbox = self._inbox, []
        for what in posted:
            if isinstance(what, Request):
                self._loop.submit(what)
            else:
                self._loop.abort(what)
