"""What the door and the media process say to each other: msgpack, never pickle."""

from typing import Literal, NewType, Self

import msgspec
import numpy as np

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Embeddings, Mark, ModuleInfo, ReadLine
from autoglm_phone.core.prompt import Grid
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions

JobId = NewType("JobId", int)
"""One read of one life of the server."""

LiveId = NewType("LiveId", int)
"""One live sound of one life of the server."""

MediaModality = Literal["vision", "speech"]

Lane = Literal["decoding", "vision", "speech", "drafts"]
"""The threads that work; each does one thing at a time."""


class ReadJob(msgspec.Struct, frozen=True, tag=True):
    """Read this encoded picture or sound. `param` names it in error messages.

    hearing: a transcript of the sound is wanted, window by window; None: a reading. client: who has his turn with it.
    """

    id: JobId
    modality: MediaModality
    data: bytes
    param: str
    hearing: HearingOptions | None = None
    client: Client = Client()


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Nobody waits for this job any more."""

    id: JobId


class LiveSamples(msgspec.Struct, frozen=True, tag=True):
    """More of a live sound: 16-bit samples at LIVE_RATE. Its first samples begin it."""

    id: LiveId
    data: bytes


class LiveClosed(msgspec.Struct, frozen=True, tag=True):
    """Nothing more of this sound will come."""

    id: LiveId


class LiveVoices(msgspec.Struct, frozen=True, tag=True):
    """How likely each frame that has become whole holds a voice. One answer for each LiveSamples."""

    id: LiveId
    probabilities: tuple[float, ...]


class Ready(msgspec.Struct, frozen=True, tag=True):
    infos: tuple[ModuleInfo, ...]


class WorkBegan(msgspec.Struct, frozen=True, tag=True):
    """Sent before the work starts, so that the door sees a hang even if nothing else can be sent.

    media_s: how long the sound is that is read; 0 for everything else. encoding_s: what an encoder may well need on a
    slow and busy machine; 0 for a reader.
    """

    lane: Lane
    param: str
    media_s: float = 0.0
    encoding_s: float = 0.0


class WorkEnded(msgspec.Struct, frozen=True, tag=True):
    lane: Lane


class Done(msgspec.Struct, frozen=True, tag=True):
    """seconds is the work done for this job: decoding, and reading unless another job's was used."""

    id: JobId
    text: str
    summary: str
    media_digest: Digest
    module_digest: Digest
    was_cached: bool
    seconds: float
    lines: tuple[ReadLine, ...] = ()


class WireEmbeddings(msgspec.Struct, frozen=True):
    """data is (num_tokens, width) float32 in C order; it lies in the frame that it was decoded from."""

    width: int
    data: memoryview
    grid: Grid | None
    mark: Mark | None = None

    @classmethod
    def of(cls, embeddings: Embeddings) -> Self:
        rows = np.ascontiguousarray(embeddings.rows, dtype=np.float32)
        return cls(rows.shape[1], rows.data.cast("B"), embeddings.grid, embeddings.mark)

    def to_embeddings(self) -> Embeddings:
        rows = np.frombuffer(self.data, dtype=np.float32).reshape(-1, self.width)
        return Embeddings(rows, self.grid, self.mark)


class Encoded(msgspec.Struct, frozen=True, tag=True):
    """seconds: as in Done."""

    id: JobId
    embeddings: WireEmbeddings
    media_digest: Digest
    module_digest: Digest
    was_cached: bool
    seconds: float


class HeardWindow(msgspec.Struct, frozen=True, tag=True):
    """The next window of a transcript."""

    id: JobId
    heard: Heard


class HeardAll(msgspec.Struct, frozen=True, tag=True):
    """Every window has been sent. seconds: as in Done."""

    id: JobId
    duration_s: float
    media_digest: Digest
    module_digest: Digest
    was_cached: bool
    seconds: float


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A RequestError: `error` is the name of its class. param None: the job's own."""

    id: JobId
    error: str
    message: str
    param: str | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Our fault, and only this job's."""

    id: JobId
    message: str


ToMedia = ReadJob | Cancel | LiveSamples | LiveClosed
Answer = Done | Encoded | HeardAll | Refused | Failed
"""The last that is said about a job."""

FromMedia = Ready | WorkBegan | WorkEnded | HeardWindow | LiveVoices | Answer

_to_media = msgspec.msgpack.Decoder(ToMedia)
_from_media = msgspec.msgpack.Decoder(FromMedia)

encode = msgspec.msgpack.encode


def decode_to_media(frame: bytes) -> ToMedia:
    message: ToMedia = _to_media.decode(frame)
    return message


def decode_from_media(frame: bytes) -> FromMedia:
    message: FromMedia = _from_media.decode(frame)
    return message
