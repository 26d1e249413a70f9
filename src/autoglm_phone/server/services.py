"""What the HTTP side needs from below: protocols, and the one value that holds them."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.chat.delta import Delta
from autoglm_phone.chat.prompt_builder import BuiltPrompt
from autoglm_phone.core.live import LiveDoor
from autoglm_phone.core.memory import MemoryReport
from autoglm_phone.core.module import MediaReading, Modality, ModuleInfo
from autoglm_phone.core.module_change import ModuleChange, ModuleUse
from autoglm_phone.core.request import Client, EngineStatus
from autoglm_phone.core.transcript import Heard, HearingOptions, TranscriptEnd
from autoglm_phone.core.voice import VoiceDoor
from autoglm_phone.server.media_state import MediaState
from autoglm_phone.server.metrics import ServerMetrics
from autoglm_phone.text.tokenizer import Tokenizer


class Chats(Protocol):
    """The use case. Closing the generator ends the computation."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]: ...

    async def prepare(self, request: ChatRequest) -> BuiltPrompt: ...


@dataclass(frozen=True)
class Decoder:
    """What is known of the decoder without asking it.

    max_running    requests that it computes at once
    max_model_len  window in tokens, of prompt and answer
    """

    tokenizer: Tokenizer
    chat_template: str
    max_running: int
    max_model_len: int


class Transcriptions(Protocol):
    """The use case of a whole transcript: any number of Heard, one TranscriptEnd. Closing it ends the work."""

    def stream(
        self, sound: bytes, options: HearingOptions, *, param: str, client: Client
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]: ...


class EngineMonitor(Protocol):
    def status(self) -> EngineStatus: ...


class Pictures(Protocol):
    """The use case of one picture by itself. Leaving the await gives up the wait."""

    async def read(self, picture: bytes, *, param: str, client: Client) -> MediaReading: ...


class MediaMonitor(Protocol):
    def status(self) -> MediaState | None:
        """None: no module that reads media is loaded."""


class ModuleChanges(Protocol):
    """Loads and unloads modules while requests run; those that run are not touched by it.

    Raises Forbidden, NoSuchModule, or ModuleRefused: then all is as it was.
    """

    def uses(self) -> Sequence[ModuleUse]:
        """The modules that are loaded, then those that were replaced and still answer somebody."""

    async def load(self, modality: Modality, source: str) -> ModuleChange:
        """source: the id of a bundle, or a path that the operator has allowed."""

    async def unload(self, modality: Modality) -> ModuleChange: ...


class FetchMedia(Protocol):
    """`media.fetch.fetch_media` with its policy: the bytes behind a URL, or a RequestError that names `param`."""

    async def __call__(self, url: str, *, param: str) -> bytes: ...


@dataclass(frozen=True)
class Services:
    """decoder, modules and memory tell of this moment: modules can be replaced while the server runs.

    live: who listens to sounds that go on. speaker: who speaks now.
    """

    chat: Chats
    decoder: Callable[[], Decoder]
    engine: EngineMonitor
    media: MediaMonitor
    modules: Callable[[], Sequence[ModuleInfo]]
    changes: ModuleChanges
    memory: Callable[[], MemoryReport]
    fetch: FetchMedia
    metrics: ServerMetrics
    transcriptions: Transcriptions | None = None
    live: LiveDoor | None = None
    speaker: Callable[[], VoiceDoor | None] = lambda: None
    pictures: Pictures | None = None

    @property
    def voice(self) -> VoiceDoor | None:
        """None while no voice module is loaded."""
        return self.speaker()
