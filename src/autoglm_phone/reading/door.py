"""The API's side of the media process: one await per picture or sound, and an answer whatever happens."""

import asyncio
import contextlib
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import assert_never

from autoglm_phone.core.errors import (
    AutoGLMError,
    EngineError,
    InvalidRequest,
    MediaTooLarge,
    MediaUndecodable,
    NotReady,
    Overloaded,
    RequestError,
    UnsupportedModality,
    WorkerDied,
)
from autoglm_phone.core.module import MediaReading, ModuleInfo, Reading
from autoglm_phone.ipc.process import ProcessOptions, ProcessState, SupervisedProcess
from autoglm_phone.reading.messages import (
    Cancel,
    Done,
    Failed,
    JobId,
    Lane,
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

    A sound may take its own length on top: beside a busy decoder five minutes of speech take more than one.
    """

    max_jobs: int = 64
    max_pending_bytes: int = 256 << 20
    max_work_s: float = 60.0


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
    modality: MediaModality
    param: str
    size_bytes: int
    future: asyncio.Future[MediaReading]


class MediaProcess:
    """The MediaDoor over a supervised process. `modalities` are those its config asks for, loaded or not yet."""

    def __init__(
        self,
        module: str,
        config: bytes,
        modalities: frozenset[MediaModality],
        *,
        options: ProcessOptions,
        limits: DoorLimits | None = None,
    ) -> None:
        self.infos: tuple[ModuleInfo, ...] = ()
        self._modalities = modalities
        self._limits = limits or DoorLimits()
        self._has_been_up = asyncio.Event()
        self._ids = itertools.count()
        self._waiters: dict[JobId, _Waiter] = {}
        self._busy: dict[Lane, asyncio.TimerHandle] = {}
        self._counts: Counter[str] = Counter()
        self._process = SupervisedProcess(
            "media",
            module,
            config,
            on_frame=self._take,
            on_up=self._has_been_up.set,
            on_down=self._go_down,
            options=options,
        )

    async def start(self) -> None:
        await self._process.start()

    async def stop(self) -> None:
        await self._process.stop()

    async def wait_until_ready(self) -> None:
        """Until the process has been ready for the first time."""
        await self._has_been_up.wait()

    def has(self, modality: MediaModality) -> bool:
        return modality in self._modalities

    async def read_image(self, data: bytes, *, param: str) -> MediaReading:
        return await self._read("vision", data, param)

    async def read_sound(self, data: bytes, *, param: str) -> MediaReading:
        return await self._read("speech", data, param)

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

    async def _read(self, modality: MediaModality, data: bytes, param: str) -> MediaReading:
        self._admit(modality, data, param)
        job_id = JobId(next(self._ids))
        future: asyncio.Future[MediaReading] = asyncio.get_running_loop().create_future()
        self._process.send(encode(ReadJob(job_id, modality, data, param)))
        self._waiters[job_id] = _Waiter(modality, param, len(data), future)
        try:
            return await future
        finally:
            if self._waiters.pop(job_id, None) is not None:  # nobody answered: the wait was given up
                with contextlib.suppress(AutoGLMError):
                    self._process.send(encode(Cancel(job_id)))

    def _admit(self, modality: MediaModality, data: bytes, param: str) -> None:
        if not self.has(modality):
            raise UnsupportedModality(f"{param}: the {modality} module is not loaded on this server", param=param)
        if not self._process.is_ready:
            error = f": {self._process.last_error}" if self._process.last_error else ""
            raise NotReady(f"the {modality} module is {self._process.state}{error}; try again")
        pending_bytes = sum(waiter.size_bytes for waiter in self._waiters.values())
        if len(self._waiters) >= self._limits.max_jobs:
            raise Overloaded(f"{len(self._waiters)} pictures and sounds are waiting to be read; try again")
        if pending_bytes and pending_bytes + len(data) > self._limits.max_pending_bytes:
            raise Overloaded(f"{pending_bytes} bytes of media are waiting to be read; try again")

    def _take(self, frame: bytes) -> None:
        message = decode_from_media(frame)
        match message:
            case Ready(infos):
                self.infos = infos
            case WorkBegan(lane, param, media_s):
                limit_s = self._limits.max_work_s + media_s
                reason = f"{param} kept its {lane} thread busy for more than {limit_s:g} s"
                self._busy[lane] = asyncio.get_running_loop().call_later(limit_s, self._process.kill, reason)
            case WorkEnded(lane):
                self._busy.pop(lane).cancel()
            case Done() | Refused() | Failed():
                waiter = self._waiters.pop(message.id, None)
                if waiter is not None and not waiter.future.done():
                    self._complete(waiter, message)
            case _:
                assert_never(message)

    def _complete(self, waiter: _Waiter, message: Done | Refused | Failed) -> None:
        match message:
            case Done():
                self._counts["hit" if message.was_cached else "miss"] += 1
                waiter.future.set_result(
                    MediaReading(
                        modality=waiter.modality,
                        reading=Reading(message.text, message.summary),
                        media_digest=message.media_digest,
                        module_digest=message.module_digest,
                        was_cached=message.was_cached,
                        seconds=message.seconds,
                    )
                )
            case Refused():
                refusal = _REFUSALS.get(message.error, InvalidRequest)
                waiter.future.set_exception(refusal(message.message, param=waiter.param))
            case Failed():
                waiter.future.set_exception(EngineError(f"reading {waiter.param} failed: {message.message}"))
            case _:
                assert_never(message)

    def _go_down(self, reason: str) -> None:
        """The process has gone: nobody may wait for it."""
        for timer in self._busy.values():
            timer.cancel()
        self._busy.clear()
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            if not waiter.future.done():
                waiter.future.set_exception(
                    WorkerDied(f"the media process died while reading {waiter.param}: {reason}")
                )
