import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import numpy as np
import pytest
from as_text import as_text

from autoglm_phone.core.errors import (
    EngineError,
    InvalidRequest,
    MediaTooLarge,
    MediaUndecodable,
    NotReady,
    Overloaded,
    UnsupportedModality,
    WorkerDied,
)
from autoglm_phone.core.module import Embeddings, MediaDoor, MediaReading
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions, TranscriptEnd, TranscriptionDoor
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.reading.door import DoorLimits, MediaProcess
from autoglm_phone.reading.live_door import MAX_LIVE
from autoglm_phone.reading.messages import MediaModality

HERE = str(Path(__file__).parent)
PATIENT_S = 20.0  # a test that fails ends after this; none waits for it


def door(*modalities: MediaModality, limits: DoorLimits | None = None, config: bytes = b"") -> MediaProcess:
    wanted: frozenset[MediaModality] = frozenset(modalities or ("vision", "speech"))
    config = config or (b"vision only" if wanted == {"vision"} else b"")
    return MediaProcess("fake_media", config, wanted, options=ProcessOptions(env={"PYTHONPATH": HERE}), limits=limits)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(PATIENT_S):
        while not condition():  # noqa: ASYNC110  # a status changes without an event
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def running(media: MediaProcess) -> AsyncIterator[MediaProcess]:
    await media.start()
    try:
        await until(lambda: media.status().state == "ready")
        yield media
    finally:
        await media.stop()


def see(media: MediaProcess, data: bytes, param: str = "part") -> asyncio.Task[MediaReading]:
    return asyncio.create_task(media.read_image(data, param=param))


async def listen(
    media: TranscriptionDoor, data: bytes, options: HearingOptions | None = None
) -> tuple[list[str], TranscriptEnd]:
    texts: list[str] = []
    async for answer in media.transcribe(data, options or HearingOptions(), param="file"):
        if isinstance(answer, TranscriptEnd):
            return texts, answer
        texts.append(answer.text)
    raise AssertionError("a transcript ends with TranscriptEnd")


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(test)


def gate(folder: Path) -> tuple[bytes, Callable[[str], None]]:
    """A picture that is read when the gate is opened, and what opens it."""
    path = folder / "gate"
    os.mkfifo(path)

    def opened(word: str) -> None:
        path.write_text(word)

    return b"gate " + str(path).encode(), opened


def test_picture_and_sound_are_read() -> None:
    async def test() -> None:
        async with running(door()) as media:
            as_door: MediaDoor = media
            picture = await as_door.read_image(b"say hello", param="a")
            sound = await as_door.read_sound(b"listen", param="b")
            assert (picture.modality, as_text(picture).text, picture.was_cached) == ("vision", "hello", False)
            assert (sound.modality, as_text(sound).text, as_text(sound).summary) == ("speech", "listen", "6 samples")
            assert picture.module_digest == "v" * 64
            assert [info.modality for info in media.infos] == ["vision", "speech"]

    run(test())


def test_same_picture_is_read_once_also_from_another_file() -> None:
    async def test() -> None:
        async with running(door()) as media:
            for data in (b"say hello", b"say hello", b"say hello#other bytes"):
                reading = await media.read_image(data, param="a")
                assert as_text(reading).summary == "reading 1"
            assert reading.was_cached
            assert (media.status().cache_hits, media.status().cache_misses) == (2, 1)

    run(test())


def test_cache_hit_and_other_modality_do_not_wait_for_a_slow_reading(tmp_path: Path) -> None:
    async def test() -> None:
        slow, opened = gate(tmp_path)
        async with running(door()) as media:
            await media.read_image(b"say hello", param="a")
            first, second = see(media, slow), see(media, slow + b"#again")
            await until(lambda: "vision" in media.status().busy)
            hits = [await media.read_image(data, param="a") for data in (b"say hello", b"say hello#other")]
            assert all(hit.was_cached for hit in hits)
            assert as_text(await media.read_sound(b"listen", param="b")).text == "listen"
            assert media.status().pending == {"speech": 0, "vision": 2}
            await asyncio.to_thread(opened, "open")
            readings = await asyncio.gather(first, second)
            assert [as_text(one).summary for one in readings] == ["reading 2"] * 2  # read once for both
            assert [one.was_cached for one in readings] == [False, True]
            assert media.status().busy == frozenset()

    run(test())


def test_encoder_stops_between_its_layers_once_nobody_waits(tmp_path: Path) -> None:
    async def test() -> None:
        fifo, log = tmp_path / "fifo", tmp_path / "log"
        os.mkfifo(fifo)
        async with running(door(config=b"encoder")) as media:
            first, second = (see(media, f"layers {fifo} {log}{mark}".encode()) for mark in ("", "#other bytes"))
            await until(lambda: log.exists() and log.read_text() == "xxx")
            for waiter in (first, second):
                waiter.cancel()
                await media.read_sound(b"listen", param="b")  # answered after the process knows
            await asyncio.to_thread(fifo.write_text, "go on")
            await media.read_image(b"another", param="c")  # behind it in the same thread
            assert log.read_text() == "xxx"

    run(test())


def test_encoder_goes_on_for_the_other_who_waits(tmp_path: Path) -> None:
    async def test() -> None:
        fifo, log = tmp_path / "fifo", tmp_path / "log"
        os.mkfifo(fifo)
        async with running(door(config=b"encoder")) as media:
            first, second = (see(media, f"layers {fifo} {log}{mark}".encode()) for mark in ("", "#other bytes"))
            await until(lambda: log.exists() and log.read_text() == "xxx")
            await media.read_sound(b"listen", param="b")  # both are known to the process
            first.cancel()
            await media.read_sound(b"listen again", param="b")
            await asyncio.to_thread(fifo.write_text, "go on")
            assert isinstance((await second).reading, Embeddings)
            assert log.read_text() == "x" * 100

    run(test())


def test_an_encoder_is_given_the_time_that_it_may_need_up_to_a_limit() -> None:
    async def test() -> None:  # a number of a pixel is an operation, one a second is slow
        async with running(door(config=b"encoder", limits=DoorLimits(max_work_s=0.05, max_encoding_s=0.1))) as media:
            with pytest.raises(WorkerDied, match=r"vision thread busy for more than 0\.15 s"):
                await media.read_image(b"hang", param="a")

    run(test())


def test_killed_process_tells_every_waiter_at_once_and_reads_again() -> None:
    async def test() -> None:
        async with running(door()) as media:
            waiters = [see(media, b"hang", "part 1"), see(media, b"say late", "part 2")]
            await until(lambda: "vision" in media.status().busy)
            pid = media.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            errors = await asyncio.gather(*waiters, return_exceptions=True)
            assert [(type(error), str(error)) for error in errors] == [
                (WorkerDied, "the media process died while reading part 1: killed by SIGKILL"),
                (WorkerDied, "the media process died while reading part 2: killed by SIGKILL"),
            ]
            with pytest.raises(NotReady, match="the vision module is loading: killed by SIGKILL; try again"):
                await media.read_image(b"say hello", param="a")
            await until(lambda: media.status().state == "ready")
            assert as_text(await media.read_image(b"say hello", param="a")).text == "hello"
            assert media.status().restarts == 1

    run(test())


def test_hung_reading_is_ended_and_named() -> None:
    async def test() -> None:
        async with running(door(limits=DoorLimits(max_work_s=0.05))) as media:
            with pytest.raises(WorkerDied, match=r"part 1: part 1 kept its \w+ thread busy for more than 0\.05 s"):
                await media.read_image(b"hang", param="part 1")
            await until(lambda: media.status().state == "ready")
            assert media.status().busy == frozenset()

    run(test())


def test_sound_may_take_its_own_length_on_top() -> None:
    async def test() -> None:
        async with running(door(limits=DoorLimits(max_work_s=0.3))) as media:
            with pytest.raises(WorkerDied, match=r"its speech thread busy for more than 0\.5 s"):
                await media.read_sound(b"hang".ljust(3_200), param="part 1")

    run(test())


def test_errors_of_a_medium_reach_its_reader_only() -> None:
    async def test() -> None:
        async with running(door()) as media:
            bad = [see(media, data, "messages[2]") for data in (b"refuse", b"refuse late", b"fail")]
            good = see(media, b"say hello")
            undecodable, too_large, failed = await asyncio.gather(*bad, return_exceptions=True)
            assert isinstance(undecodable, MediaUndecodable)
            assert (undecodable.message, undecodable.param) == ("messages[2] is not a picture", "messages[2]")
            assert isinstance(too_large, MediaTooLarge)
            assert too_large.param == "messages[2]"
            assert type(failed) is EngineError
            assert str(failed) == "reading messages[2] failed: ZeroDivisionError: in the decoder"
            assert as_text(await good).text == "hello"

    run(test())


def test_reading_that_is_given_up_frees_its_place(tmp_path: Path) -> None:
    async def test() -> None:
        slow, opened = gate(tmp_path)
        async with running(door(limits=DoorLimits(max_jobs=2))) as media:
            first, second = see(media, slow), see(media, b"say never")
            await until(lambda: "vision" in media.status().busy)
            with pytest.raises(Overloaded, match="2 pictures and sounds are waiting"):
                await media.read_image(b"say more", param="a")
            elsewhere = asyncio.create_task(media.read_image(b"say other", param="a", client=Client("elsewhere")))
            await asyncio.sleep(0)  # has less than his part, and is let in
            for given_up in (second, elsewhere):
                given_up.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await given_up
            third = see(media, b"say third")
            await asyncio.sleep(0)
            await asyncio.to_thread(opened, "open")
            assert as_text(await first).summary == "reading 1"
            assert as_text(await third).summary == "reading 2"  # the second was never read

    run(test())


def test_bytes_that_wait_are_bounded(tmp_path: Path) -> None:
    async def test() -> None:
        slow, opened = gate(tmp_path)
        async with running(door(limits=DoorLimits(max_pending_bytes=200))) as media:
            large = b"say large".ljust(1000)
            assert as_text(await media.read_image(large, param="a")).text == "large"  # alone it is let in
            first = see(media, slow)
            await until(lambda: "vision" in media.status().busy)
            with pytest.raises(Overloaded, match="bytes of media are waiting"):
                await media.read_image(large, param="a")
            await asyncio.to_thread(opened, "open")
            await first

    run(test())


def test_modality_without_module_is_refused_and_one_that_loads_asks_for_patience() -> None:
    async def test() -> None:
        media = door("vision")
        assert (media.has("vision"), media.has("speech")) == (True, False)
        with pytest.raises(UnsupportedModality, match="part: the speech module is not loaded") as refused:
            await media.read_sound(b"", param="part")
        assert refused.value.param == "part"
        with pytest.raises(NotReady, match="the vision module is stopped"):
            await media.read_image(b"", param="part")

    run(test())


def test_transcript_comes_in_windows_and_is_made_once() -> None:
    async def test() -> None:
        async with running(door()) as media:
            texts, end = await listen(media, b"one|deaf|two")
            assert texts == [" one", " two"]
            assert (end.duration_s, end.was_cached, end.module_digest) == (12 / 16_000, False, "s" * 64)
            assert (await listen(media, b"one|deaf|two"))[1].was_cached
            assert not (await listen(media, b"one|deaf|two", HearingOptions(temperature=0.5)))[1].was_cached
            assert as_text(await media.read_sound(b"one|deaf|two", param="a")).text == "one|deaf|two"
            assert (media.status().cache_hits, media.status().cache_misses) == (1, 3)

    run(test())


def test_window_is_told_while_the_next_is_heard_and_leaving_ends_the_work(tmp_path: Path) -> None:
    async def test() -> None:
        slow, opened = gate(tmp_path)
        async with running(door()) as media:
            transcript = media.transcribe(b"one|" + slow + b"|never|never", HearingOptions(), param="file")
            first = await anext(transcript)
            assert isinstance(first, Heard)
            assert first.text == " one"
            await transcript.aclose()
            assert media.status().pending == {"speech": 0, "vision": 0}
            await media.read_image(b"say hello", param="a")  # answered after the process knows
            await asyncio.to_thread(opened, "two")
            assert (await listen(media, b"count"))[0] == [" 3"]  # after `one` and `two`

    run(test())


def test_killed_process_ends_a_transcript_with_an_error() -> None:
    async def test() -> None:
        async with running(door()) as media:
            transcript = media.transcribe(b"one|hang", HearingOptions(), param="file")
            await anext(transcript)
            pid = media.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="died while reading file: killed by SIGKILL"):
                await anext(transcript)

    run(test())


def test_errors_of_a_transcript_name_their_field() -> None:
    async def test() -> None:
        async with running(door()) as media:
            with pytest.raises(EngineError, match="reading file failed: ZeroDivisionError: in the listener"):
                await listen(media, b"one|fail")
            with pytest.raises(InvalidRequest, match="no such language") as refused:
                await listen(media, b"refuse")
            assert refused.value.param == "language"
        with pytest.raises(UnsupportedModality, match="file: the speech module is not loaded"):
            await listen(door("vision"), b"one")

    run(test())


async def test_a_live_sound_is_followed_until_it_is_closed() -> None:
    async with running(door()) as media:
        first, second = media.live_voice(), media.live_voice()
        assert await first.push(np.zeros(10, np.int16)) == (10.0,)
        assert await second.push(np.zeros(5, np.int16)) == (5.0,)
        assert await first.push(np.zeros(10, np.int16)) == (20.0,)
        first.close()
        first.close()
        with pytest.raises(EngineError, match="begin a new one"):
            await first.push(np.zeros(10, np.int16))
        assert await media.live_voice().push(np.zeros(1, np.int16)) == (1.0,)


async def test_nobody_waits_for_a_detector_that_has_died() -> None:
    async with running(door()) as media:
        voice, other = media.live_voice(), media.live_voice()
        with pytest.raises(WorkerDied):
            await voice.push(np.full(1, 7, np.int16))
        with pytest.raises(EngineError):
            await other.push(np.zeros(1, np.int16))
        await until(lambda: media.status().state == "ready")
        assert await media.live_voice().push(np.zeros(3, np.int16)) == (3.0,)


async def test_live_sounds_are_bounded_and_need_the_speech_module() -> None:
    async with running(door()) as media:
        voices = [media.live_voice() for _ in range(MAX_LIVE)]
        with pytest.raises(Overloaded):
            media.live_voice()
        voices[0].close()
        media.live_voice()
    deaf = door("vision")
    with pytest.raises(UnsupportedModality):
        deaf.live_voice()
    with pytest.raises(NotReady):
        door().live_voice()
