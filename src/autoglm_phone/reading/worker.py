"""The threads inside the media process: one receives, one decodes, one a lane reads, one listens, one decides.

They talk by queues; only the desk, on the calling thread, owns state.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Protocol, TypeVar

from autoglm_phone.core.errors import GivenUp
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.media import Image, Waveform
from autoglm_phone.core.module import (
    Embeddings,
    ImageEncoder,
    ImageReader,
    ModuleInfo,
    Reading,
    SoundEncoder,
    SpeechReader,
)
from autoglm_phone.core.transcript import Heard, HearingOptions, Listener, Transcript
from autoglm_phone.ipc.child import ChildSocket
from autoglm_phone.reading.cache import ReadingCache
from autoglm_phone.reading.desk import Desk, Prepared, reading_lanes
from autoglm_phone.reading.live_sounds import Detector, LiveSounds
from autoglm_phone.reading.messages import (
    FromMedia,
    Lane,
    LiveClosed,
    LiveSamples,
    MediaModality,
    ReadJob,
    Ready,
    decode_to_media,
    encode,
)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Ear(SpeechReader, Listener, Protocol):
    """Both ways to hear a sound: as a reading for the prompt, and as a transcript. A draft is heard beside another."""


@dataclass(frozen=True)
class Sense:
    """A loaded module with the decoder before it. prepare(data, param) may raise RequestError."""

    info: ModuleInfo
    prepare: Callable[[bytes, str], Prepared]


def picture_sense(info: ModuleInfo, decode: Callable[[bytes, str], Image], reader: ImageReader) -> Sense:
    def prepare(data: bytes, param: str) -> Prepared:
        image = decode(data, param)
        return Prepared(image.digest, image.pixels.nbytes, lambda _: reader.read(image))

    return Sense(info, prepare)


def picture_encoder_sense(
    info: ModuleInfo, decode: Callable[[bytes, str], Image], encoder: ImageEncoder, *, slow_speed: float
) -> Sense:
    """slow_speed: operations a second that it does at the least, beside a busy decoder; slower ones are given up."""

    def prepare(data: bytes, param: str) -> Prepared:
        image = decode(data, param)
        encoding_s = encoder.num_operations(image) / slow_speed
        return Prepared(image.digest, image.pixels.nbytes, partial(encoder.encode, image), encoding_s=encoding_s)

    return Sense(info, prepare)


def sound_encoder_sense(
    info: ModuleInfo, decode: Callable[[bytes, str], Waveform], encoder: SoundEncoder, *, slow_speed: float
) -> Sense:
    """slow_speed: as for pictures."""

    def prepare(data: bytes, param: str) -> Prepared:
        sound = decode(data, param)
        encoder.check(sound)
        encoding_s = encoder.num_operations(sound) / slow_speed
        read = partial(encoder.encode, sound)
        return Prepared(sound.digest, sound.samples.nbytes, read, sound.duration_s, encoding_s=encoding_s)

    return Sense(info, prepare)


def sound_sense(info: ModuleInfo, decode: Callable[[bytes, str], Waveform], ear: Ear) -> Sense:
    def prepare(data: bytes, param: str) -> Prepared:
        sound = decode(data, param)
        return Prepared(
            sound.digest, sound.samples.nbytes, partial(ear.read, sound), sound.duration_s, partial(ear.hear, sound)
        )

    return Sense(info, prepare)


def serve(
    child: ChildSocket,
    senses: Mapping[MediaModality, Sense],
    *,
    cache_bytes: int,
    max_waiting_bytes: int,
    new_detector: Callable[[], Detector],
) -> None:
    """Say that the modules are loaded, then read what is asked for until the door closes.

    new_detector: of voices, for each live sound.
    """
    child.send(encode(Ready(tuple(sense.info for sense in senses.values()))))
    child.send_ready()
    inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
    hands = _Threads(child, senses, inbox)
    live = LiveSounds(new_detector, lambda voices: inbox.put(partial(hands.send, voices)))
    modules = {modality: sense.info.digest for modality, sense in senses.items()}
    desk = Desk(modules, ReadingCache(cache_bytes), hands, max_waiting_bytes=max_waiting_bytes)
    hands.desk = desk
    _start("listen", live.run)
    _start("receive", partial(_receive, child, desk, live, inbox))
    while (event := inbox.get()) is not None:
        event()


class _Threads:
    """Does the desk's bidding in one thread a lane."""

    desk: Desk

    def __init__(
        self,
        child: ChildSocket,
        senses: Mapping[MediaModality, Sense],
        inbox: "SimpleQueue[Callable[[], None] | None]",
    ) -> None:
        self._child = child
        self._senses = senses
        self._inbox = inbox
        self._decoding: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._reading: dict[Lane, SimpleQueue[Callable[[], None]]] = {
            lane: SimpleQueue() for lane in reading_lanes(senses)
        }
        self._stops: dict[Lane, threading.Event] = {}
        _start("decode", partial(_work, self._decoding))
        for lane, queue in self._reading.items():
            _start(f"read {lane}", partial(_work, queue))

    def send(self, message: FromMedia) -> None:
        self._child.send(encode(message))

    def prepare(self, job: ReadJob) -> None:
        work = partial(self._senses[job.modality].prepare, job.data, job.param)
        self._decoding.put(partial(self._report, work, self.desk.prepared))

    def read(self, lane: Lane, prepared: Prepared, hearing: HearingOptions | None) -> None:
        stop = self._stops[lane] = threading.Event()
        work: Callable[[], Reading | Embeddings | Transcript | None] = partial(_read, prepared, stop)
        if hearing is not None:
            work = partial(self._hear, lane, prepared, hearing, stop)
        self._reading[lane].put(partial(self._report, work, partial(self.desk.read, lane)))

    def stop(self, lane: Lane) -> None:
        self._stops[lane].set()

    def _hear(
        self, lane: Lane, prepared: Prepared, hearing: HearingOptions, stop: threading.Event
    ) -> Transcript | None:
        """None: stopped before the end."""
        assert prepared.hear is not None
        heard: list[Heard] = []
        for one in prepared.hear(hearing):
            if one.segments:
                heard.append(one)
                self._inbox.put(partial(self.desk.heard, lane, one))
            if stop.is_set():
                return None
        return Transcript(prepared.duration_s, tuple(heard))

    def _report(self, work: Callable[[], _T], done: Callable[[_T | Exception, float], None]) -> None:
        """The top of a lane's thread: whatever happens, the desk hears of it."""
        started = time.perf_counter()
        outcome: _T | Exception
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        self._inbox.put(partial(done, outcome, time.perf_counter() - started))


def _read(prepared: Prepared, stop: threading.Event) -> Reading | Embeddings | None:
    """None: stopped before the end."""

    def checkpoint() -> None:
        if stop.is_set():
            raise GivenUp("nobody waits for it any more")

    try:
        return prepared.read(checkpoint)
    except GivenUp:
        return None


def _work(queue: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        queue.get()()


def _receive(child: ChildSocket, desk: Desk, live: LiveSounds, inbox: "SimpleQueue[Callable[[], None] | None]") -> None:
    try:
        while (frame := child.receive()) is not None:
            message = decode_to_media(frame)
            if isinstance(message, ReadJob):
                # Both encoders may be one file, and so one module to the cache; bytes sent as both are two media.
                digest = Digest(hashlib.sha256(message.modality.encode() + b":" + message.data).hexdigest())
                inbox.put(partial(desk.take, message, digest))
            elif isinstance(message, LiveSamples | LiveClosed):
                live.put(message)
            else:
                inbox.put(partial(desk.cancel, message.id))
    except Exception:
        _log.exception("the media process cannot receive any more and ends")
    finally:
        inbox.put(None)


def _start(name: str, run: Callable[[], None]) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()
