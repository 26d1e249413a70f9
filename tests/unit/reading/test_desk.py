from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoglm_phone.core.errors import MediaTooLarge
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Embeddings, Reading, go_on
from autoglm_phone.core.request import ANYONE, Client
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment, Transcript
from autoglm_phone.reading.cache import ReadingCache
from autoglm_phone.reading.desk import Desk, Prepared
from autoglm_phone.reading.messages import (
    Answer,
    Done,
    Failed,
    FromMedia,
    HeardAll,
    HeardWindow,
    JobId,
    Lane,
    MediaModality,
    ReadJob,
    Refused,
    WorkBegan,
)

MODULES: dict[MediaModality, Digest] = {"vision": Digest("e" * 64), "speech": Digest("a" * 64)}
PLAIN, ENGLISH, DRAFT = HearingOptions(), HearingOptions(language="en"), HearingOptions(is_draft=True)


def window(text: str) -> Heard:
    return Heard("en", (Segment(text, 0.0, 1.0, (1,), 0.0, 0.0, -0.5, 0.1, 1.0),))


def no_windows(options: HearingOptions) -> Iterator[Heard]:
    raise AssertionError("the hands only write down what they are bidden")


@dataclass
class Hearing:
    heard: list[Heard] = field(default_factory=list)


class Bench:
    """A desk whose hands only write down what they were bidden; the test says when work ends."""

    def __init__(self, cache_bytes: int = 1 << 20, max_waiting_bytes: int = 1 << 20) -> None:
        self.answers: list[Answer] = []
        self.windows: list[tuple[int, str]] = []
        self.began: list[WorkBegan] = []
        self.preparing: list[ReadJob] = []
        self.reading: list[tuple[Lane, Prepared]] = []
        self.hearing: dict[Lane, Hearing] = {}  # the transcripts that are being made
        self.stopped: set[Lane] = set()
        self.desk = Desk(MODULES, ReadingCache(cache_bytes), self, max_waiting_bytes=max_waiting_bytes)

    def send(self, message: FromMedia) -> None:
        if isinstance(message, Answer):
            self.answers.append(message)
        elif isinstance(message, HeardWindow):
            self.windows.append((message.id, message.heard.text))
        elif isinstance(message, WorkBegan):
            self.began.append(message)

    def prepare(self, job: ReadJob) -> None:
        self.preparing.append(job)

    def read(self, lane: Lane, prepared: Prepared, hearing: HearingOptions | None) -> None:
        self.reading.append((lane, prepared))
        self.stopped.discard(lane)
        if hearing is not None:
            self.hearing[lane] = Hearing()

    def stop(self, lane: Lane) -> None:
        assert lane not in self.stopped
        self.stopped.add(lane)

    def take(
        self,
        number: int,
        medium: str,
        modality: MediaModality = "vision",
        *,
        file: str | None = None,
        hearing: HearingOptions | None = None,
        client: Client = ANYONE,
    ) -> None:
        """A job whose file decodes to `medium`; the same medium comes in the same file unless `file` is given."""
        job = ReadJob(JobId(number), modality, medium.encode(), f"part {number}", hearing, client)
        self.desk.take(job, Digest(file or f"file {medium}"))

    def listen(self, number: int, medium: str, hearing: HearingOptions = PLAIN, *, file: str | None = None) -> None:
        """A job for a transcript, decoded."""
        self.take(number, medium, "speech", file=file, hearing=hearing)
        self.end_preparing()

    def end_preparing(self, error: Exception | None = None) -> None:
        medium = self.preparing.pop().data.decode()
        prepared = Prepared(
            Digest(f"medium {medium}"), max(100, 10 * len(medium)), lambda _: Reading(medium, ""), 1.5, no_windows
        )
        self.desk.prepared(error or prepared, 0.25)

    def end_reading(self, lane: Lane = "vision", error: Exception | None = None, *, too_late: bool = False) -> None:
        """too_late: to be stopped, if it was told to."""
        (prepared,) = [one for other, one in self.reading if other == lane]
        self.reading.remove((lane, prepared))
        outcome: Reading | Embeddings | Transcript | None = prepared.read(go_on)
        if (hearing := self.hearing.pop(lane, None)) is not None:
            outcome = Transcript(1.5, tuple(hearing.heard))
        if lane in self.stopped and not too_late:
            outcome = None
        self.desk.read(lane, error or outcome, 3.0)

    def end_window(self, text: str, lane: Lane = "speech") -> None:
        self.hearing[lane].heard.append(window(text))
        self.desk.heard(lane, window(text))

    @property
    def texts(self) -> dict[int, str]:
        return {answer.id: answer.text for answer in self.answers if isinstance(answer, Done)}


def test_one_job_is_decoded_then_read() -> None:
    bench = Bench()
    bench.take(1, "cat")
    bench.end_preparing()
    bench.end_reading()
    assert bench.answers == [Done(JobId(1), "cat", "", Digest("medium cat"), MODULES["vision"], False, 3.25)]
    assert bench.began == [WorkBegan("decoding", "part 1"), WorkBegan("vision", "part 1", 1.5)]


def test_same_medium_in_flight_is_read_once_and_answered_to_all() -> None:
    bench = Bench()
    bench.take(1, "cat", file="cat.png")
    bench.end_preparing()
    bench.take(2, "cat", file="cat.webp")
    bench.end_preparing()
    assert len(bench.reading) == 1
    bench.end_reading()
    assert not bench.reading
    assert [(answer.id, answer.was_cached) for answer in bench.answers if isinstance(answer, Done)] == [
        (1, False),
        (2, True),
    ]


def test_known_medium_is_answered_while_another_is_read() -> None:
    bench = Bench()
    bench.take(1, "cat", file="cat.png")
    bench.end_preparing()
    bench.end_reading()
    bench.take(2, "dog")
    bench.end_preparing()
    bench.take(3, "cat", file="cat.webp")  # other bytes, same pixels: decoded, not read
    bench.end_preparing()
    assert bench.texts == {1: "cat", 3: "cat"}


def test_known_file_is_answered_without_decoding() -> None:
    bench = Bench()
    bench.take(1, "cat")
    bench.end_preparing()
    bench.end_reading()
    bench.take(2, "dog")
    bench.take(3, "cat")
    assert bench.texts == {1: "cat", 3: "cat"}
    assert [job.id for job in bench.preparing] == [2]


def test_modalities_do_not_wait_for_each_other() -> None:
    bench = Bench()
    modalities: list[MediaModality] = ["vision", "speech", "vision"]
    for number, modality in enumerate(modalities, start=1):
        bench.take(number, f"m{number}", modality)
        bench.end_preparing()
    assert [modality for modality, _ in bench.reading] == ["vision", "speech"]
    bench.end_reading("speech")
    assert bench.texts == {2: "m2"}


def test_same_bytes_for_two_modalities_do_not_share_an_answer() -> None:
    bench = Bench()
    bench.take(1, "x", "vision")
    bench.end_preparing()
    bench.end_reading("vision")
    bench.take(2, "x", "speech")
    bench.end_preparing()
    bench.end_reading("speech")
    modules = [answer.module_digest for answer in bench.answers if isinstance(answer, Done)]
    assert modules == [MODULES["vision"], MODULES["speech"]]


def test_cancelled_job_that_has_not_begun_never_begins() -> None:
    bench = Bench()
    for number in (1, 2, 3):
        bench.take(number, f"m{number}")
    bench.end_preparing()
    bench.end_preparing()
    bench.desk.cancel(JobId(2))  # decoded, waits to be read
    bench.desk.cancel(JobId(3))  # being decoded
    bench.end_preparing()
    bench.end_reading()
    assert bench.texts == {1: "m1"}
    assert not bench.reading
    assert not bench.preparing


def test_reading_that_nobody_waits_for_any_more_is_stopped_and_begun_anew_for_the_next() -> None:
    bench = Bench()
    bench.take(1, "cat")
    bench.end_preparing()
    bench.desk.cancel(JobId(1))
    assert bench.stopped == {"vision"}
    bench.take(2, "cat")
    bench.end_preparing()
    bench.end_reading()
    assert bench.answers == []
    bench.end_reading()
    assert bench.answers == [Done(JobId(2), "cat", "", Digest("medium cat"), MODULES["vision"], False, 3.25)]


def test_reading_that_could_not_be_stopped_any_more_is_kept_for_whoever_waits_behind_it() -> None:
    bench = Bench()
    bench.take(1, "cat")
    bench.end_preparing()
    bench.desk.cancel(JobId(1))
    bench.take(2, "cat", file="cat.webp")
    bench.end_preparing()
    bench.end_reading(too_late=True)
    assert not bench.reading
    assert [(answer.id, answer.was_cached) for answer in bench.answers if isinstance(answer, Done)] == [(2, True)]


def test_reading_goes_on_while_one_of_two_waits() -> None:
    bench = Bench()
    for number, file in ((1, "a"), (2, "b")):
        bench.take(number, "cat", file=file)
        bench.end_preparing()
    bench.desk.cancel(JobId(1))
    assert not bench.stopped
    bench.desk.cancel(JobId(2))
    assert bench.stopped == {"vision"}


def test_clients_take_turns_and_little_goes_before_much_of_another() -> None:
    bench = Bench()
    for number in range(4):
        bench.take(number, "x" * 50 + str(number), client=Client("here", "greedy"))
        bench.end_preparing()
    bench.take(7, "big" * 30, client=Client("there", "a"))
    bench.end_preparing()
    bench.take(8, "small", client=Client("elsewhere", "b"))
    bench.end_preparing()
    order = []
    while bench.reading:
        bench.end_reading()
        order.append(bench.answers[-1].id)
    assert order == [0, 8, 7, 1, 2, 3]  # 8 came after 7, and is little


def test_whoever_joins_a_medium_that_waits_in_a_long_row_need_not_wait_for_the_row() -> None:
    bench = Bench()
    for number in range(4):
        bench.take(number, f"m{number}", client=Client("here"), file=f"{number}")
        bench.end_preparing()
    bench.take(9, "m3", client=Client("there"), file="m3 of another")
    bench.end_preparing()
    bench.end_reading()
    bench.end_reading()
    assert set(bench.texts) == {0, 3, 9}


def test_second_waiter_gets_the_answer_when_the_first_gives_up() -> None:
    bench = Bench()
    bench.take(1, "cat", file="a")
    bench.end_preparing()
    bench.take(2, "cat", file="b")
    bench.end_preparing()
    bench.desk.cancel(JobId(1))
    bench.end_reading()
    assert bench.texts == {2: "cat"}


def test_refusal_reaches_every_waiter_and_is_not_cached() -> None:
    bench = Bench()
    bench.take(1, "cat", file="a")
    bench.end_preparing()
    bench.take(2, "cat", file="b")
    bench.end_preparing()
    bench.end_reading(error=MediaTooLarge("too long"))
    assert bench.answers == [Refused(JobId(n), "MediaTooLarge", "too long") for n in (1, 2)]
    bench.take(3, "cat", file="a")
    bench.end_preparing()
    bench.end_reading(error=ValueError("bug"))
    assert bench.answers[2:] == [Failed(JobId(3), "ValueError: bug")]


def test_decoding_pauses_while_much_decoded_media_waits() -> None:
    bench = Bench(max_waiting_bytes=150)
    for number in range(5):
        bench.take(number, f"m{number}")
    for _ in range(3):
        bench.end_preparing()  # 0 is being read, 1 and 2 (100 bytes each) wait
    assert not bench.preparing
    bench.end_reading()
    assert [job.id for job in bench.preparing] == [3]


def heard_all(number: int, medium: str, *, was_cached: bool, seconds: float) -> HeardAll:
    return HeardAll(JobId(number), 1.5, Digest(f"medium {medium}"), MODULES["speech"], was_cached, seconds)


def test_transcript_comes_window_by_window_and_then_from_the_cache() -> None:
    bench = Bench()
    bench.listen(1, "talk")
    bench.end_window("one")
    assert bench.windows == [(1, "one")]
    assert bench.answers == []
    bench.end_window("two")
    bench.end_reading("speech")
    assert bench.answers == [heard_all(1, "talk", was_cached=False, seconds=3.25)]
    bench.take(2, "talk", "speech", hearing=PLAIN)
    bench.listen(3, "talk", file="talk.mp3")
    assert bench.windows[2:] == [(2, "one"), (2, "two"), (3, "one"), (3, "two")]
    assert bench.answers[1:] == [
        heard_all(2, "talk", was_cached=True, seconds=0.0),
        heard_all(3, "talk", was_cached=True, seconds=0.25),
    ]


def test_second_listener_is_told_what_was_heard_before_it_came() -> None:
    bench = Bench()
    bench.listen(1, "talk", file="a")
    bench.end_window("one")
    bench.listen(2, "talk", file="b")
    assert bench.windows == [(1, "one"), (2, "one")]
    bench.end_window("two")
    bench.end_reading("speech")
    assert bench.windows[2:] == [(1, "two"), (2, "two")]
    assert [answer.id for answer in bench.answers] == [1, 2]
    assert not bench.reading


def test_other_options_and_a_reading_of_the_same_sound_are_work_of_their_own() -> None:
    bench = Bench()
    bench.listen(1, "talk", PLAIN)
    bench.listen(2, "talk", ENGLISH)
    bench.take(3, "talk", "speech")
    bench.end_preparing()
    for text in ("plain", "english", "reading"):
        if "speech" in bench.hearing:
            bench.end_window(text)
        bench.end_reading("speech")
    assert bench.windows == [(1, "plain"), (2, "english")]
    assert bench.texts == {3: "talk"}


def test_transcript_that_nobody_waits_for_any_more_is_stopped_and_not_kept() -> None:
    bench = Bench()
    bench.listen(1, "talk")
    bench.end_window("one")
    bench.desk.cancel(JobId(1))
    assert bench.stopped == {"speech"}
    bench.listen(2, "talk")  # does not join what was told to stop
    bench.end_window("two")
    bench.end_reading("speech")
    assert bench.windows == [(1, "one")]
    bench.end_window("one")
    bench.end_reading("speech")
    assert bench.windows[1:] == [(2, "one")]
    assert bench.answers == [heard_all(2, "talk", was_cached=False, seconds=3.25)]


def test_transcript_goes_on_for_the_second_listener() -> None:
    bench = Bench()
    bench.listen(1, "talk", file="a")
    bench.listen(2, "talk", file="b")
    bench.desk.cancel(JobId(1))
    assert not bench.stopped
    bench.end_window("one")
    bench.end_reading("speech")
    assert bench.windows == [(2, "one")]


def test_transcript_that_ended_before_it_could_be_stopped_is_kept() -> None:
    bench = Bench()
    bench.listen(1, "talk")
    bench.end_window("one")
    bench.desk.cancel(JobId(1))
    bench.end_reading("speech", too_late=True)
    bench.take(2, "talk", "speech", hearing=PLAIN)
    assert bench.windows[1:] == [(2, "one")]


def test_a_draft_waits_for_no_transcript_and_is_not_kept() -> None:
    bench = Bench()
    bench.listen(1, "talk")
    for number in (2, 3):
        bench.listen(number, "word", DRAFT)
        bench.end_window("wo", "drafts")
        bench.end_reading("drafts")
    bench.end_window("one")
    bench.end_reading("speech")
    assert bench.windows == [(2, "wo"), (3, "wo"), (1, "one")]
    assert [answer.was_cached for answer in bench.answers if isinstance(answer, HeardAll)] == [False, False, False]


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: one answer for each job that is waited for, none for others."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(cache_bytes=3000, max_waiting_bytes=250)
        self.num_jobs = 0
        self.cancelled: set[int] = set()

    @rule(medium=st.sampled_from("abcd"), modality=st.sampled_from(["vision", "speech"]), file=st.sampled_from("12"))
    def take(self, medium: str, modality: MediaModality, file: str) -> None:
        client = Client(medium, file)
        self.bench.take(self.num_jobs, medium, modality, file=medium + file, client=client)
        self.num_jobs += 1

    @rule(medium=st.sampled_from("ab"), hearing=st.sampled_from([PLAIN, ENGLISH, DRAFT]), file=st.sampled_from("12"))
    def listen(self, medium: str, hearing: HearingOptions, file: str) -> None:
        self.bench.take(self.num_jobs, medium, "speech", file=medium + file, hearing=hearing)
        self.num_jobs += 1

    @precondition(lambda self: self.bench.hearing)
    @rule(data=st.data())
    def end_window(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.bench.hearing)))
        self.bench.end_window(str(len(self.bench.hearing[lane].heard)), lane)

    @precondition(lambda self: self.num_jobs > 0)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, self.num_jobs - 1))
        if number not in {answer.id for answer in self.bench.answers}:
            self.cancelled.add(number)
        self.bench.desk.cancel(JobId(number))

    @precondition(lambda self: self.bench.preparing)
    @rule(is_refused=st.booleans())
    def end_preparing(self, is_refused: bool) -> None:
        self.bench.end_preparing(MediaTooLarge("no") if is_refused else None)

    @precondition(lambda self: self.bench.reading)
    @rule(is_refused=st.booleans(), too_late=st.booleans())
    def end_reading(self, is_refused: bool, too_late: bool) -> None:
        modality, error = self.bench.reading[0][0], MediaTooLarge("no") if is_refused else None
        self.bench.end_reading(modality, error, too_late=too_late)

    @invariant()
    def desk_is_consistent(self) -> None:
        self.bench.desk.check_invariants()
        assert len(self.bench.preparing) <= 1
        assert len({lane for lane, _ in self.bench.reading}) == len(self.bench.reading)

    def teardown(self) -> None:
        while self.bench.preparing or self.bench.reading:
            if self.bench.preparing:
                self.bench.end_preparing()
            if self.bench.reading:
                self.bench.end_reading(self.bench.reading[0][0])
        answered = [answer.id for answer in self.bench.answers]
        assert sorted(answered) == sorted(set(range(self.num_jobs)) - self.cancelled)
        for number in range(self.num_jobs):  # however late it came, from the first window on
            texts = [text for job, text in self.bench.windows if job == number]
            assert texts == [str(index) for index in range(len(texts))]


TestAnyOrder = AnyOrder.TestCase
