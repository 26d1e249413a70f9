"""Decides what the threads of the media process do next; owns its jobs and its cache.

No thread, no socket, no clock: the worker calls one method per event, always from the same thread.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from autoglm_phone.core.errors import RequestError
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Checkpoint, Embeddings, Reading
from autoglm_phone.core.transcript import Heard, HearingOptions, Transcript
from autoglm_phone.reading.cache import CachedReading, ReadingCache
from autoglm_phone.reading.fair_queue import FairQueue
from autoglm_phone.reading.messages import (
    Answer,
    Done,
    Encoded,
    Failed,
    FromMedia,
    HeardAll,
    HeardWindow,
    JobId,
    Lane,
    MediaModality,
    ReadJob,
    Refused,
    WireEmbeddings,
    WorkBegan,
    WorkEnded,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A decoded medium, ready to be read. duration_s is 0 for a picture; hear is there where a transcript can be had.

    encoding_s: as in WorkBegan.
    """

    digest: Digest
    size_bytes: int
    read: Callable[[Checkpoint], Reading | Embeddings]
    duration_s: float = 0.0
    hear: Callable[[HearingOptions], Iterator[Heard]] | None = None
    encoding_s: float = 0.0

    @property
    def work(self) -> float:
        """Only to be compared among media for one module."""
        return self.encoding_s or self.size_bytes


class Hands(Protocol):
    """What does the desk's bidding: each call starts work in its lane's thread and returns at once."""

    def send(self, message: FromMedia) -> None: ...

    def prepare(self, job: ReadJob) -> None:
        """Decode; `Desk.prepared` is called with the outcome."""

    def read(self, lane: Lane, prepared: Prepared, hearing: HearingOptions | None) -> None:
        """Run the module; `Desk.heard` is called with each window of a transcript, `Desk.read` with the outcome."""

    def stop(self, lane: Lane) -> None:
        """End what the lane does at its next checkpoint, if it has one before its end."""


@dataclass(frozen=True, eq=False)
class _Job:
    job: ReadJob
    file_digest: Digest
    seconds: float = 0.0


_Key = tuple[MediaModality, Digest, HearingOptions | None]


@dataclass(eq=False)
class _Reading:
    """One medium to be read in one way, for every job that wants that of the same pixels or samples."""

    modality: MediaModality
    prepared: Prepared
    hearing: HearingOptions | None
    waiters: list[_Job] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    @property
    def key(self) -> _Key:
        return (self.modality, self.prepared.digest, self.hearing)

    @property
    def is_draft(self) -> bool:
        return self.hearing is not None and self.hearing.is_draft

    @property
    def lane(self) -> Lane:
        """A draft that waited for a transcript would come when somebody has said more already."""
        return "drafts" if self.is_draft else self.modality


def reading_lanes(modalities: Iterable[MediaModality]) -> tuple[Lane, ...]:
    """Those that read, where these modules are loaded."""
    return (*modalities, "drafts") if "speech" in modalities else tuple(modalities)


class Desk:
    """At most one medium is decoded and one in each lane is read at any time; the rest waits for its client's turn.

    Decoding pauses while decoded media of more than max_waiting_bytes wait to be read. A job whose answer is in the
    cache is answered without waiting for anybody's reading.
    """

    def __init__(
        self, modules: Mapping[MediaModality, Digest], cache: ReadingCache, hands: Hands, *, max_waiting_bytes: int
    ) -> None:
        self._modules = modules
        self._cache = cache
        self._hands = hands
        self._max_waiting_bytes = max_waiting_bytes
        self._live: set[JobId] = set()
        self._to_prepare: FairQueue[_Job] = FairQueue()
        self._preparing: _Job | None = None
        self._readings: dict[_Key, _Reading] = {}  # those that may be joined: waiting or being read
        self._to_read: dict[Lane, FairQueue[_Reading]] = {lane: FairQueue() for lane in reading_lanes(modules)}
        self._reading: dict[Lane, _Reading] = {}

    def take(self, job: ReadJob, file_digest: Digest) -> None:
        """A new job has come."""
        self._live.add(job.id)
        if hit := self._cache.get(file_digest, self._modules[job.modality], job.hearing):
            self._repeat(job.id, hit)
            self._answer(_Job(job, file_digest), hit, was_cached=True)
            return
        self._to_prepare.put(_Job(job, file_digest), job.client, len(job.data))
        self._advance()

    def cancel(self, job_id: JobId) -> None:
        """Nobody waits for this job. If nobody else waits for its medium, that is not begun, or stopped."""
        self._live.discard(job_id)
        for waiting in list(self._to_prepare):
            if waiting.job.id == job_id:
                self._to_prepare.remove(waiting)
        for queue in self._to_read.values():
            for reading in list(queue):
                if not self._is_wanted(reading):
                    queue.remove(reading)
                    del self._readings[reading.key]
        for lane, reading in self._reading.items():
            if not self._is_wanted(reading) and self._may_be_joined(reading):
                del self._readings[reading.key]
                self._hands.stop(lane)
        self._advance()

    def prepared(self, outcome: Prepared | Exception, seconds: float) -> None:
        """The decoding thread has finished."""
        assert self._preparing is not None
        job, self._preparing = self._preparing, None
        self._hands.send(WorkEnded("decoding"))
        job = _Job(job.job, job.file_digest, seconds)
        if isinstance(outcome, Exception):
            self._refuse(job, outcome)
        elif job.job.id in self._live:
            self._queue_reading(job, outcome)
        self._advance()

    def heard(self, lane: Lane, heard: Heard) -> None:
        """A module has gone on by a window."""
        reading = self._reading[lane]
        reading.heard.append(heard)
        for waiter in reading.waiters:
            self._tell_heard(waiter.job.id, heard)

    def read(self, lane: Lane, outcome: Reading | Embeddings | Transcript | Exception | None, seconds: float) -> None:
        """A module has finished. None: it was stopped. What came to its end in spite of that is kept, too."""
        reading = self._reading.pop(lane)
        if self._may_be_joined(reading):
            del self._readings[reading.key]
        self._hands.send(WorkEnded(lane))
        if isinstance(outcome, Exception):
            for waiter in reading.waiters:
                self._refuse(waiter, outcome)
        elif outcome is not None:
            entry = CachedReading(outcome, reading.prepared.digest)
            self._keep(reading.prepared.digest, reading.modality, entry, reading.hearing)
            first, *joined = reading.waiters
            self._finish(_Job(first.job, first.file_digest, first.seconds + seconds), entry, was_cached=False)
            for waiter in joined:
                self._finish(waiter, entry, was_cached=True)
        self._advance()

    def check_invariants(self) -> None:
        waiting = [reading for queue in self._to_read.values() for reading in queue]
        joinable = [*waiting, *(one for one in self._reading.values() if self._may_be_joined(one))]
        assert {id(one) for one in self._readings.values()} == {id(one) for one in joinable}
        assert all(self._may_be_joined(one) or not self._is_wanted(one) for one in self._reading.values())
        assert all(map(self._is_wanted, waiting))
        preparing = [self._preparing] if self._preparing is not None else []
        joined = [waiter for reading in [*waiting, *self._reading.values()] for waiter in reading.waiters]
        places = [one.job.id for one in [*self._to_prepare, *preparing, *joined]]
        assert len(places) == len(set(places))
        assert self._live <= set(places)
        self._cache.check_invariants()

    def _queue_reading(self, job: _Job, prepared: Prepared) -> None:
        modality, hearing = job.job.modality, job.job.hearing
        if hit := self._cache.get(prepared.digest, self._modules[modality], hearing):
            self._repeat(job.job.id, hit)
            self._finish(job, hit, was_cached=True)
            return
        new = _Reading(modality, prepared, hearing)
        reading = self._readings.setdefault(new.key, new)
        if reading is not self._reading.get(reading.lane):
            self._to_read[reading.lane].put(reading, job.job.client, prepared.work)
        reading.waiters.append(job)
        for heard in reading.heard:
            self._tell_heard(job.job.id, heard)

    def _advance(self) -> None:
        """Give every idle lane its next piece of work."""
        for lane, queue in self._to_read.items():
            while queue and lane not in self._reading:
                reading = queue.take()
                module = self._modules[reading.modality]
                if hit := self._cache.get(reading.prepared.digest, module, reading.hearing):
                    self._find_read(reading, hit)  # by one that could not be stopped any more
                    continue
                self._reading[lane] = reading
                prepared, param = reading.prepared, reading.waiters[0].job.param
                self._hands.send(WorkBegan(lane, param, prepared.duration_s, prepared.encoding_s))
                self._hands.read(lane, prepared, reading.hearing)
        if self._to_prepare and self._preparing is None and self._waiting_bytes <= self._max_waiting_bytes:
            self._preparing = self._to_prepare.take()
            self._hands.send(WorkBegan("decoding", self._preparing.job.param))
            self._hands.prepare(self._preparing.job)

    def _find_read(self, reading: _Reading, entry: CachedReading) -> None:
        del self._readings[reading.key]
        for waiter in reading.waiters:
            self._repeat(waiter.job.id, entry)
            self._finish(waiter, entry, was_cached=True)

    @property
    def _waiting_bytes(self) -> int:
        return sum(reading.prepared.size_bytes for queue in self._to_read.values() for reading in queue)

    def _is_wanted(self, reading: _Reading) -> bool:
        return any(waiter.job.id in self._live for waiter in reading.waiters)

    def _may_be_joined(self, reading: _Reading) -> bool:
        """Not once it was told to stop; another of the same kind may wait behind it."""
        return self._readings.get(reading.key) is reading

    def _finish(self, job: _Job, entry: CachedReading, *, was_cached: bool) -> None:
        self._keep(job.file_digest, job.job.modality, entry, job.job.hearing)
        self._answer(job, entry, was_cached=was_cached)

    def _keep(
        self, source: Digest, modality: MediaModality, entry: CachedReading, hearing: HearingOptions | None
    ) -> None:
        if hearing is None or not hearing.is_draft:  # nobody asks for a draft again
            self._cache.put(source, self._modules[modality], entry, hearing)

    def _repeat(self, job_id: JobId, entry: CachedReading) -> None:
        """The windows of a transcript that was made before."""
        if isinstance(entry.reading, Transcript):
            for heard in entry.reading.heard:
                self._tell_heard(job_id, heard)

    def _answer(self, job: _Job, entry: CachedReading, *, was_cached: bool) -> None:
        module = self._modules[job.job.modality]
        where_from = (entry.media_digest, module, was_cached, job.seconds)
        match entry.reading:
            case Reading(text, summary, lines):
                self._tell(Done(job.job.id, text, summary, *where_from, lines))
            case Embeddings():
                self._tell(Encoded(job.job.id, WireEmbeddings.of(entry.reading), *where_from))
            case Transcript(duration_s):
                self._tell(HeardAll(job.job.id, duration_s, *where_from))

    def _refuse(self, job: _Job, error: Exception) -> None:
        if isinstance(error, RequestError):
            self._tell(Refused(job.job.id, type(error).__name__, error.message, error.param))
        else:
            _log.error("reading %s failed", job.job.param, exc_info=error)
            self._tell(Failed(job.job.id, f"{type(error).__name__}: {error}"))

    def _tell_heard(self, job_id: JobId, heard: Heard) -> None:
        if job_id in self._live:
            self._hands.send(HeardWindow(job_id, heard))

    def _tell(self, message: Answer) -> None:
        """Every job gets one answer, unless nobody waits for it."""
        if message.id in self._live:
            self._live.remove(message.id)
            self._hands.send(message)
