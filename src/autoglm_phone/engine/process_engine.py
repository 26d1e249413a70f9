"""ProcessEngine: the engine door whose engine is a supervised process."""

import contextlib
from collections.abc import AsyncGenerator
from typing import assert_never

from autoglm_phone.core.errors import NotReady, WorkerDied
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.request import EngineStatus, Request, TokenEvent
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.messages import (
    Abort,
    EngineFacts,
    EngineLoad,
    Events,
    Media,
    Submit,
    decode_from_worker,
    encode,
)
from autoglm_phone.engine.open_requests import OpenRequests
from autoglm_phone.ipc.process import ProcessOptions, SupervisedProcess


class ProcessEngine:
    """Implements core.request.EngineDoor. One event loop owns it."""

    def __init__(self, config: EngineConfig, module: str, process_config: bytes, options: ProcessOptions) -> None:
        self._open = OpenRequests(config)
        self._load = EngineLoad(kv_tokens_total=config.kv_tokens)
        self.facts: EngineFacts | None = None
        self._process = SupervisedProcess(
            "engine",
            module,
            process_config,
            on_frame=self._on_frame,
            on_down=self._on_down,
            options=options,
        )

    def launch(self) -> None:
        """Start the process already, without an event loop; `start` takes it over."""
        self._process.launch()

    async def start(self) -> None:
        await self._process.start()

    async def stop(self) -> None:
        await self._process.stop()

    async def wait_until_ready(self) -> None:
        """Until the process has been ready for the first time."""
        await self._process.wait_until_ready()

    def status(self) -> EngineStatus:
        process = self._process
        state = process.state if process.state != "stopped" else "failed"
        error = process.last_error if state != "ready" else ""
        return self._load.to_status(state, process.pid, error=error, restarts=process.restarts)

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        if not self._process.is_ready:
            raise NotReady(f"the decoder is not ready ({self._process.state}); try again shortly")
        async with contextlib.aclosing(self._open.stream(request, self._submit, self._abort)) as events:
            async for event in events:
                yield event

    def _submit(self, request: Request) -> None:
        for span in request.prompt.embeds:
            self._process.send(encode(Media.of(request.id, span)))
        self._process.send(encode(Submit.of(request)))

    def _abort(self, request_id: RequestId) -> None:
        with contextlib.suppress(WorkerDied):  # then it is forgotten already
            self._process.send(encode(Abort(request_id)))

    def _on_frame(self, frame: bytes) -> None:
        message = decode_from_worker(frame)
        match message:
            case Events():
                if message.load is not None:
                    self._load = message.load
                for request_id, event in message.events:
                    self._open.deliver(request_id, event)
            case EngineFacts():
                self.facts = message
            case _:
                assert_never(message)

    def _on_down(self, reason: str) -> None:
        self._load = EngineLoad(kv_tokens_total=self._load.kv_tokens_total)
        self._open.fail_all(lambda: WorkerDied(f"the decoder died while answering ({reason}); it is being restarted"))
