"""The API's side of the media process: an answer to every picture and sound, whatever happens."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import assert_never

from autoglm_phone.core.client_shares import equal_share
from autoglm_phone.core.errors import (
    AutoGLMError,
    EngineError,
    InvalidRequest,
    MediaTooLarge,
    MediaUndecodable,
    NotReady,
    NotSupported,
    Overloaded,
    RequestError,
    UnsupportedModality,
    WorkerDied,
)
from autoglm_phone.core.module import Embeddings, MediaReading, ModuleInfo, Reading
from autoglm_phone.core.request import ANYONE, Client
from autoglm_phone.core.transcript import Heard, HearingOptions, TranscriptEnd
from autoglm_phone.ipc.process import ProcessOptions, ProcessState, SupervisedProcess
from autoglm_phone.reading.live_door import LiveDoorSide, LiveSound
from autoglm_phone.reading.messages import (
    Answer,
    Cancel,
    Done,
    Encoded,
    Failed,
    HeardAll,
    HeardWindow,
    JobId,
    Lane,
    LiveVoices,
    MediaModality,
    ReadJob,
    Ready,
    Refused,
    WorkBegan,
    WorkEnded,
    decode_from_media,
    encode,
)

_REFUSALS: dict[str, type[RequestError]] = {
    error.__name__: error for error in (MediaUndecodable, MediaTooLarge, InvalidRequest)
}


@dataclass(frozen=True)
class DoorLimits:
    """max_work_s bounds one decoding or one reading, not the time in the queue; past it the process is replaced.

    A sound may take its own length on top: beside a busy decoder five minutes of speech take more than one. What an
    encoder may need for a medium comes on top as well, but no more than max_encoding_s.

    max_jobs, max_pending_bytes: when they are reached, a client still gets in who has less than his equal part.
    """

    max_jobs: int = 64
    max_pending_bytes: int = 256 << 20
    max_work_s: float = 60.0
    max_encoding_s: float = 3600.0


@dataclass(frozen=True)
class MediaStatus:
    """What /health and /metrics tell about the media process. A hit is a reading that was not computed for it."""

    state: ProcessState
    pid: int | None
    restarts: int
    error: str
    pending: dict[MediaModality, int]
    busy: frozenset[Lane]
    cache_hits: int
    cache_misses: int


@dataclass(frozen=True, eq=False)
class _Waiter:
    """answers: what has come and was not taken yet. The windows of a sound are few, so they are not bounded here."""

    modality: MediaModality
    param: str
    size_bytes: int
    client: Client
    answers: asyncio.Queue[MediaReading | Heard | TranscriptEnd | AutoGLMError] = field(default_factory=asyncio.Queue)

    async def take(self) -> MediaReading | Heard | TranscriptEnd:
        answer = await self.answers.get()
        if isinstance(answer, AutoGLMError):
            raise answer
        return answer


class MediaProcess:
    """The MediaDoor over a supervised process. `modalities` are those its config asks for, loaded or not yet.

    transcribes: whether its speech module, if it has one, gives text; an encoder gives embeddings alone.
    """

    def __init__(
        self,
        module: str,
        config: bytes,
        modalities: frozenset[MediaModality],
        *,
        transcribes: bool = True,
        options: ProcessOptions,
        limits: DoorLimits | None = None,
    ) -> None:
        self.infos: tuple[ModuleInfo, ...] = ()
        self._modalities = modalities
        self._transcribes = transcribes
        self._limits = limits or DoorLimits()
        self._ids = itertools.count()
        self._waiters: dict[JobId, _Waiter] = {}
        self._busy: dict[Lane, asyncio.TimerHandle] = {}
        self._counts: Counter[str] = Counter()
        self._live = LiveDoorSide(lambda message: self._process.send(encode(message)))
        self._process = SupervisedProcess(
            "media",
            module,
            config,
            on_frame=self._take,
            on_down=self._go_down,
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

    def has(self, modality: MediaModality) -> bool:
        return modality in self._modalities

    async def read_image(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        return await self._read("vision", data, param, client)

    async def read_sound(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        return await self._read("speech", data, param, client)

    async def transcribe(
        self, data: bytes, options: HearingOptions, *, param: str, client: Client = ANYONE
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        self._check_transcribes(param)
        with self._job("speech", data, param, client, options) as waiter:
            while True:
                answer = await waiter.take()
                assert not isinstance(answer, MediaReading)
                yield answer
                if isinstance(answer, TranscriptEnd):
                    return

    def live_voice(self) -> LiveSound:
        self._check_there("speech", "a live sound")
        self._check_transcribes("a live sound")
        return self._live.open()

    def status(self) -> MediaStatus:
        pending = Counter(waiter.modality for waiter in self._waiters.values())
        return MediaStatus(
            state=self._process.state,
            pid=self._process.pid,
            restarts=self._process.restarts,
            error=self._process.last_error,
            pending={modality: pending[modality] for modality in sorted(self._modalities)},
            busy=frozenset(self._busy),
            cache_hits=self._counts["hit"],
            cache_misses=self._counts["miss"],
        )

    async def _read(self, modality: MediaModality, data: bytes, param: str, client: Client) -> MediaReading:
        with self._job(modality, data, param, client) as waiter:
            answer = await waiter.take()
            assert isinstance(answer, MediaReading)
            return answer

    @contextlib.contextmanager
    def _job(
        self,
        modality: MediaModality,
        data: bytes,
        param: str,
        client: Client,
        hearing: HearingOptions | None = None,
    ) -> Iterator[_Waiter]:
        """A job that the process has been given; leaving gives it up unless it was answered."""
        self._check_there(modality, param)
        self._admit(data, client)
        job_id = JobId(next(self._ids))
        self._process.send(encode(ReadJob(job_id, modality, data, param, hearing, client)))
        waiter = self._waiters[job_id] = _Waiter(modality, param, len(data), client)
        try:
            yield waiter
        finally:
            if self._waiters.pop(job_id, None) is not None:  # nobody answered: the wait was given up
                with contextlib.suppress(AutoGLMError):
                    self._process.send(encode(Cancel(job_id)))

    def _check_there(self, modality: MediaModality, param: str) -> None:
        if not self.has(modality):
            raise UnsupportedModality(f"{param}: the {modality} module is not loaded on this server", param=param)
        if not self._process.is_ready:
            error = f": {self._process.last_error}" if self._process.last_error else ""
            raise NotReady(f"the {modality} module is {self._process.state}{error}; try again")

    def _check_transcribes(self, param: str) -> None:
        if self.has("speech") and not self._transcribes:
            raise NotSupported(
                f"{param}: this server's speech module is an encoder: it gives the decoder embeddings and nobody a "
                "transcript; send the sound in a message of POST /v1/chat/completions and ask for its words, or load a "
                "transcriber (POST /v1/modules/speech)",
                param=param,
            )

    def _admit(self, data: bytes, client: Client) -> None:
        limits, waiting = self._limits, self._waiters.values()
        clients = [one.client for one in waiting]
        own = [one.size_bytes for one in waiting if one.client == client]
        pending_bytes = sum(one.size_bytes for one in waiting)
        if len(clients) >= limits.max_jobs and len(own) >= equal_share(limits.max_jobs, client, clients):
            raise Overloaded(f"{len(clients)} pictures and sounds are waiting to be read; try again")
        is_full = pending_bytes and pending_bytes + len(data) > limits.max_pending_bytes
        if is_full and sum(own) + len(data) > equal_share(limits.max_pending_bytes, client, clients):
            raise Overloaded(f"{pending_bytes} bytes of media are waiting to be read; try again")

    def _take(self, frame: bytes) -> None:
        message = decode_from_media(frame)
        match message:
            case Ready(infos):
                self.infos = infos
            case WorkBegan(lane, param, media_s, encoding_s):
                limit_s = self._limits.max_work_s + media_s + min(encoding_s, self._limits.max_encoding_s)
                reason = f"{param} kept its {lane} thread busy for more than {limit_s:g} s"
                self._busy[lane] = asyncio.get_running_loop().call_later(limit_s, self._process.kill, reason)
            case WorkEnded(lane):
                self._busy.pop(lane).cancel()
            case HeardWindow(job_id, heard):
                if job_id in self._waiters:
                    self._waiters[job_id].answers.put_nowait(heard)
            case LiveVoices():
                self._live.answer(message)
            case Done() | Encoded() | HeardAll() | Refused() | Failed():
                waiter = self._waiters.pop(message.id, None)
                if waiter is not None:
                    waiter.answers.put_nowait(self._outcome(waiter, message))
            case _:
                assert_never(message)

    def _outcome(self, waiter: _Waiter, message: Answer) -> MediaReading | TranscriptEnd | AutoGLMError:
        if isinstance(message, Done | Encoded | HeardAll):
            self._counts["hit" if message.was_cached else "miss"] += 1
        match message:
            case Done():
                return _media_reading(waiter, Reading(message.text, message.summary, message.lines), message)
            case Encoded():
                return _media_reading(waiter, message.embeddings.to_embeddings(), message)
            case HeardAll():
                return TranscriptEnd(
                    duration_s=message.duration_s,
                    media_digest=message.media_digest,
                    module_digest=message.module_digest,
                    was_cached=message.was_cached,
                    seconds=message.seconds,
                )
            case Refused():
                return _REFUSALS.get(message.error, InvalidRequest)(
                    message.message, param=message.param or waiter.param
                )
            case Failed():
                return EngineError(f"reading {waiter.param} failed: {message.message}")
            case _:
                assert_never(message)

    def _go_down(self, reason: str) -> None:
        """The process has gone: nobody may wait for it."""
        for timer in self._busy.values():
            timer.cancel()
        self._busy.clear()
        self._live.fail_all(WorkerDied(f"the media process died while it listened: {reason}"))
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            waiter.answers.put_nowait(WorkerDied(f"the media process died while reading {waiter.param}: {reason}"))


def _media_reading(waiter: _Waiter, reading: Reading | Embeddings, message: Done | Encoded) -> MediaReading:
    return MediaReading(
        modality=waiter.modality,
        reading=reading,
        media_digest=message.media_digest,
        module_digest=message.module_digest,
        was_cached=message.was_cached,
        seconds=message.seconds,
    )
