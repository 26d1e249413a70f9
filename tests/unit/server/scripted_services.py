"""Hand-written fakes behind the HTTP side: a chat that follows a script, an engine and a media process with a state."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
from fastapi import FastAPI
from tiny_vocabulary import CHATML, tiny_tokenizer

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.delta import ContentDelta, Delta, Finished, Started, Usage
from autoglm_phone.chat.prompt_builder import BuiltPrompt
from autoglm_phone.core.ids import Digest, TokenId
from autoglm_phone.core.memory import MemoryEstimate, MemoryPart, MemoryReport
from autoglm_phone.core.module import Modality, ModuleInfo
from autoglm_phone.core.module_change import ModuleChange, ModuleUse
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import EngineStatus, Request, TokenEvent
from autoglm_phone.media.fetch import FetchPolicy, fetch_media
from autoglm_phone.server.app import create_app
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.server.services import Decoder, Pictures, Services, Transcriptions

MODEL = "autoglm-phone-nano"
USAGE = Usage(
    prompt_tokens=30,
    completion_tokens=2,
    cached_tokens=8,
    image_tokens=5,
    audio_tokens=4,
    reasoning_tokens=1,
    dropped_messages=0,
)
HELLO: tuple[Delta, ...] = (Started(30, 0), ContentDelta("Hel"), ContentDelta("lo"), Finished("stop", USAGE))

PROMPT = Prompt((TokenId(256), *map(TokenId, b"user\nHi")))

Step = Delta | Exception | asyncio.Event
"""What a script does next: send, raise, or wait until the test sets the event."""


class ScriptedChat:
    """Every chat follows the script; what was asked and how often a generator was closed is kept."""

    def __init__(self, script: Sequence[Step] = HELLO) -> None:
        self.script = script
        self.requests: list[ChatRequest] = []
        self.is_waiting = asyncio.Event()
        self.is_closed = asyncio.Event()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    self.is_waiting.set()
                    await step.wait()
                else:
                    yield step
        finally:
            self.is_closed.set()

    async def prepare(self, request: ChatRequest) -> BuiltPrompt:
        self.requests.append(request)
        return BuiltPrompt(PROMPT, max_tokens=10, image_tokens=2, audio_tokens=1)


@dataclass
class FakeEngine:
    state: EngineStatus = field(default_factory=lambda: EngineStatus("ready", pid=4711, kv_tokens_total=16_384))

    def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        raise AssertionError("the chat is scripted; nobody asks the engine")

    def status(self) -> EngineStatus:
        return self.state


@dataclass
class FakeMediaState:
    state: str = "ready"
    pid: int | None = 4712
    restarts: int = 0
    error: str = ""
    busy: frozenset[str] = frozenset()


@dataclass
class FakeMedia:
    """state None: no module that reads media is loaded."""

    state: FakeMediaState | None = field(default_factory=FakeMediaState)

    def status(self) -> FakeMediaState | None:
        return self.state


@dataclass
class FakeChanges:
    """What was asked for is kept; `error` is raised instead of an answer."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    error: Exception | None = None

    def uses(self) -> Sequence[ModuleUse]:
        return (ModuleUse(DECODER, 3), ModuleUse(EYE, 0), ModuleUse(EYE, 1, is_leaving=True))

    async def load(self, modality: Modality, source: str) -> ModuleChange:
        return self._changed(("load", modality, source), EYE)

    async def unload(self, modality: Modality) -> ModuleChange:
        return self._changed(("unload", modality), None)

    def _changed(self, asked: tuple[str, ...], loaded: ModuleInfo | None) -> ModuleChange:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
        return ModuleChange(loaded, EYE, 1.25)


DECODER = ModuleInfo("text", "decoder", "qwen2", "2.5", Digest("ab" * 32), ("/models/nano.gguf",), 400 << 20)
EYE = ModuleInfo("vision", "transcriber", "rapidocr", "3.10", Digest("cd" * 32), ("det.onnx",), 90 << 20, "reads words")

MEMORY = MemoryReport(
    MemoryEstimate(
        (
            MemoryPart("engine", "weights", 400),
            MemoryPart("engine", "weights' file behind their copies", 30, "reclaimable"),
            MemoryPart("api", "process", 90),
            MemoryPart("media", "a reading", 200, "growing"),
        )
    ),
    machine_bytes=1000,
    measured={"api": 95, "engine": 425},
)


@dataclass
class House:
    """A server's HTTP side with everything behind it scripted. `settings` replace fields of the config."""

    chat: ScriptedChat = field(default_factory=ScriptedChat)
    engine: FakeEngine = field(default_factory=FakeEngine)
    media: FakeMedia = field(default_factory=FakeMedia)
    changes: FakeChanges = field(default_factory=FakeChanges)
    policy: FetchPolicy = field(default_factory=FetchPolicy)
    metrics: ServerMetrics = field(default_factory=ServerMetrics)
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None
    transcriptions: Transcriptions | None = None
    pictures: Pictures | None = None
    memory: MemoryReport = MEMORY

    def app(self, **settings: Any) -> FastAPI:
        config = replace(ServerConfig(model_id=MODEL, aliases=("nano",), bundle_limits="small"), **settings)
        modules = (DECODER, EYE)
        fetch = partial(fetch_media, policy=self.policy)
        decoder = Decoder(tiny_tokenizer(), CHATML, max_running=8, max_model_len=8192)
        services = Services(
            self.chat,
            lambda: decoder,
            self.engine,
            self.media,
            lambda: modules,
            self.changes,
            lambda: self.memory,
            fetch,
            self.metrics,
            transcriptions=self.transcriptions,
            pictures=self.pictures,
        )
        return create_app(services, config, self.lifespan)

    def client(self, **settings: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app(**settings))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def post(self, body: Any, **settings: Any) -> httpx.Response:
        """One chat request, from its own event loop."""

        async def ask() -> httpx.Response:
            async with self.client(**settings) as client:
                if isinstance(body, bytes):
                    return await client.post("/v1/chat/completions", content=body)
                return await client.post("/v1/chat/completions", json=body)

        return asyncio.run(ask())

    def get(self, path: str, headers: dict[str, str] | None = None, **settings: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with self.client(**settings) as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


def asked(**fields: Any) -> dict[str, Any]:
    """The body of a plain chat request, with further fields."""
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **fields}
