"""The whole server in one process: HTTP, chat, engine and scheduler are real; only backend and media are fake.

The fake model answers a byte a token: what the last user said, after "You said: ".
"""

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import httpx2
import openai
import uvicorn
from fastapi import FastAPI
from tiny_vocabulary import CHATML, tiny_tokenizer

from autoglm_phone.backends.fake.backend import FakeBackend
from autoglm_phone.chat.chat_service import ChatService
from autoglm_phone.chat.picture_reading import PictureReading
from autoglm_phone.chat.prompt_builder import PromptBuilder, PromptConfig
from autoglm_phone.core.errors import MediaUndecodable, ModuleRefused, NoSuchModule
from autoglm_phone.core.ids import Digest, TokenId
from autoglm_phone.core.live import LiveDoor
from autoglm_phone.core.memory import MemoryReport
from autoglm_phone.core.module import MediaReading, Modality, ModuleInfo, Reading, ReadLine
from autoglm_phone.core.module_change import ModuleChange, ModuleUse
from autoglm_phone.core.request import ANYONE, Client, EngineDoor, SamplingParams
from autoglm_phone.core.voice import VoiceDoor
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.engine_loop import EngineLoop
from autoglm_phone.engine.local_engine import LocalEngine
from autoglm_phone.engine.open_requests import OpenRequests
from autoglm_phone.media.fetch import FetchPolicy, fetch_media
from autoglm_phone.server.app import create_app
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.server.run import uvicorn_config
from autoglm_phone.server.services import Decoder, Services, Transcriptions
from autoglm_phone.text.chat_template import ChatTemplate

MODEL = "autoglm-phone-fake"
SYSTEM_PROMPT = "You are a phone assistant."
START, END = "256", "257"  # <|im_start|> and <|im_end|>, as the backend sees them
OPENING = [START, *map(str, b"assistant\n")]
UNREADABLE = b"not a picture"


DECODER = ModuleInfo("text", "decoder", "fake", "1", Digest("00"), ("fake",), 0)
EAR = ModuleInfo("speech", "transcriber", "fake", "3", Digest("02"), ("fake",), 80 << 20, "hears words")
EYE = ModuleInfo("vision", "transcriber", "fake", "2", Digest("01"), ("fake",), 90 << 20, "sees words")


@dataclass
class FakeModel:
    """Chooses tokens. While `gate` is closed, no step ends; `prompts` are what it was asked, in order."""

    is_asked: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    prompts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def choose(self, values: Sequence[str], params: SamplingParams) -> TokenId:
        self.is_asked.set()
        self.gate.wait(20)
        at = max(i for i in range(len(values)) if list(values[i : i + len(OPENING)]) == OPENING)
        prompt, said = _bytes(values[:at]), _bytes(values[at + len(OPENING) :])
        if not said:
            self.prompts.append(prompt.decode())
        text = _bytes(values[_last(values[:at], START) : at])
        answer = b"You said: " + text.removeprefix(b"user\n").strip()
        said = said.rpartition(b"<answer>")[2].lstrip()  # behind a thought, if there is one
        return TokenId(answer[len(said)] if answer.startswith(said) and said != answer else int(END))


def _bytes(values: Sequence[str]) -> bytes:
    return bytes(int(value) for value in values if int(value) < 256)


def _last(values: Sequence[str], wanted: str) -> int:
    return len(values) - 1 - list(reversed(values)).index(wanted)


class FakeMedia:
    """Reads any bytes as the text they are; `lines` are what it sees on every picture."""

    def __init__(self, *modalities: Literal["vision", "speech"], lines: tuple[ReadLine, ...] = ()) -> None:
        self.modalities, self.lines = modalities, lines

    def has(self, modality: Literal["vision", "speech"]) -> bool:
        return modality in self.modalities

    async def read_image(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        return self._read("vision", data, param)

    async def read_sound(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        return self._read("speech", data, param)

    def _read(self, modality: Literal["vision", "speech"], data: bytes, param: str) -> MediaReading:
        if data == UNREADABLE:
            raise MediaUndecodable(f"{param}: not a picture or a sound", param=param)
        if modality == "vision" and self.lines:
            reading = Reading("\n".join(line.text for line in self.lines), "a test picture", self.lines)
        else:
            reading = Reading(data.decode(errors="replace"), "a test medium")
        return MediaReading(modality, reading, Digest(data.hex()), Digest("00"), was_cached=False, seconds=0.1)


class NoMedia:
    def status(self) -> None:
        return None


@dataclass
class NoChanges:
    """Modules of the walk stay what they are."""

    modules: tuple[ModuleInfo, ...]

    def uses(self) -> Sequence[ModuleUse]:
        return [ModuleUse(info, 0) for info in self.modules]

    async def load(self, modality: Modality, source: str) -> ModuleChange:
        raise ModuleRefused(f"there is no {modality} module {source!r} for the fake model")

    async def unload(self, modality: Modality) -> ModuleChange:
        raise NoSuchModule(f"the {modality} module is not loaded")


@dataclass
class WalkHouse:
    """`engine` None: the real one over the fake model."""

    model: FakeModel = field(default_factory=FakeModel)
    media: FakeMedia = field(default_factory=lambda: FakeMedia("vision", "speech"))
    engine_config: EngineConfig = field(default_factory=lambda: EngineConfig(max_model_len=512, kv_tokens=2048))
    metrics: ServerMetrics = field(default_factory=ServerMetrics)
    engine: EngineDoor | None = None
    transcriptions: Transcriptions | None = None
    ear: LiveDoor | None = None
    voice: VoiceDoor | None = None
    modules: tuple[ModuleInfo, ...] = (DECODER,)
    max_tokens: int = 64

    def app(self, **settings: Any) -> FastAPI:
        tokenizer = tiny_tokenizer()
        backend = FakeBackend(
            self.model.choose, num_slots=self.engine_config.max_slots, kv_tokens=self.engine_config.kv_tokens
        )
        local = LocalEngine(EngineLoop(self.engine_config, backend), OpenRequests(self.engine_config))
        engine = local if self.engine is None else self.engine
        prompts = PromptConfig(self.engine_config.max_model_len, self.max_tokens, "error", SYSTEM_PROMPT)
        template = ChatTemplate(CHATML, tokenizer)
        decoder = Decoder(tokenizer, template.source, self.engine_config.max_running, self.engine_config.max_model_len)
        builder = PromptBuilder(template, tokenizer, prompts)
        config = replace(ServerConfig(MODEL, port=0, shutdown_s=0), **settings)
        services = Services(
            chat=ChatService(engine, self.media, builder, tokenizer, self.metrics),
            decoder=lambda: decoder,
            engine=engine,
            media=NoMedia(),
            modules=lambda: self.modules,
            changes=NoChanges(self.modules),
            memory=lambda: MemoryReport(None, 8 << 30, {"api": 100 << 20}),
            fetch=partial(fetch_media, policy=FetchPolicy()),
            metrics=self.metrics,
            transcriptions=self.transcriptions,
            live=self.ear,
            speaker=lambda: self.voice,
            pictures=PictureReading(self.media, self.metrics),
        )

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            await local.start()
            try:
                yield
            finally:
                await local.stop()

        return create_app(services, config, lifespan)

    @asynccontextmanager
    async def client(self, **settings: Any) -> AsyncIterator[openai.AsyncOpenAI]:
        """The official client, in process."""
        app = self.app(**settings)
        transport = httpx2.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport) as http:
            yield openai.AsyncOpenAI(
                base_url="http://localhost/v1", api_key="EMPTY", http_client=http, max_retries=0, timeout=20
            )

    @contextmanager
    def live(self, **settings: Any) -> Iterator[str]:
        """The address of a real server in a thread of its own."""
        app = self.app(**settings)
        config = ServerConfig(MODEL, port=0, shutdown_s=0)
        server = uvicorn.Server(uvicorn_config(app, config))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                thread.join(0.005)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            self.model.gate.set()
            server.should_exit = True
            thread.join()
