"""What the separate modules are and what they give: a span of the prompt for each medium."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.media import Image, Waveform
from autoglm_phone.core.prompt import Grid
from autoglm_phone.core.request import Client

Modality = Literal["text", "vision", "speech", "voice"]
ModuleKind = Literal["decoder", "encoder", "transcriber", "speaker"]

Checkpoint = Callable[[], None]
"""What long work calls between its parts: it raises GivenUp once nobody waits for the outcome any more."""


def go_on() -> None:
    """The checkpoint of work that is always brought to its end."""


@dataclass(frozen=True)
class ModuleInfo:
    """Which module is loaded: what `/v1/models` and the banner show.

    digest is that of the module's weights; memory_bytes is what loading it added to its process.
    """

    modality: Modality
    kind: ModuleKind
    arch: str
    version: str
    digest: Digest
    files: tuple[str, ...]
    memory_bytes: int
    limits: str = ""
    licence: str = ""


@dataclass(frozen=True)
class ReadLine:
    """Words on a picture. box: left, top, right and bottom, 0 to 999 of its width and height."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Reading:
    """What a transcriber made of one medium: plain text, never special tokens.

    text        the span that stands in the prompt for the medium; empty if it holds no words
    summary     one short line about the medium itself: size and orientation, or length and language
    lines       where the words of a picture stand, for people to look at; in the order of the text
    """

    text: str
    summary: str
    lines: tuple[ReadLine, ...] = ()


@dataclass(frozen=True)
class Mark:
    """What stands right before and behind a medium's embeddings: text of the maker's, which may name control tokens."""

    before: str = ""
    behind: str = ""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What an encoder made of one medium, in the decoder's width.

    rows   (num_tokens, C) float32
    grid   how those of a picture lie; None: one after the other
    mark   what the encoder was trained to stand between; None: what the decoder's chat template writes
    """

    rows: NDArray[np.float32]
    grid: Grid | None = None
    mark: Mark | None = None

    def __len__(self) -> int:
        return len(self.rows)


class ImageEncoder(Protocol):
    """Turns a picture into embeddings. Blocking; called off the event loop and off the decode thread."""

    def num_operations(self, image: Image) -> float:
        """Of floating point, about, so that its time can be told from. Raises RequestError if it is not encoded."""

    def encode(self, image: Image, checkpoint: Checkpoint) -> Embeddings: ...


class SoundEncoder(Protocol):
    """Turns a sound into embeddings. Blocking; called off the event loop and off the decode thread."""

    def check(self, sound: Waveform) -> None:
        """Raises RequestError if it cannot be encoded. Quick: the number of embeddings is known before they are."""

    def num_operations(self, sound: Waveform) -> float:
        """As of a picture; of a sound that `check` lets pass."""

    def encode(self, sound: Waveform, checkpoint: Checkpoint) -> Embeddings: ...


class ImageReader(Protocol):
    """Reads a picture as text, within a second. Blocking; called off the event loop and off the decode thread."""

    def read(self, image: Image) -> Reading: ...


class SpeechReader(Protocol):
    """Hears a sound as text. Blocking; called off the event loop and off the decode thread."""

    def read(self, sound: Waveform, checkpoint: Checkpoint) -> Reading: ...


@dataclass(frozen=True)
class MediaReading:
    """A reading, as text or as embeddings, with what its caches and counters need."""

    modality: Literal["vision", "speech"]
    reading: Reading | Embeddings
    media_digest: Digest
    module_digest: Digest
    was_cached: bool
    seconds: float


class MediaDoor(Protocol):
    """The one door to the media process: bytes in, a reading out. Leaving the await gives up the wait.

    client: among whom the process is shared; it changes no reading.
    """

    def has(self, modality: Literal["vision", "speech"]) -> bool: ...

    async def read_image(self, data: bytes, *, param: str, client: Client = ...) -> MediaReading: ...

    async def read_sound(self, data: bytes, *, param: str, client: Client = ...) -> MediaReading: ...
