"""The media door while its process is replaced: real processes, with readers that do what the bytes say."""

import asyncio
from pathlib import Path

import pytest
from as_text import as_text
from test_door import HERE, gate, run, until

from autoglm_phone.core.errors import UnsupportedModality, WorkerDied
from autoglm_phone.core.module import MediaDoor
from autoglm_phone.core.transcript import HearingOptions, TranscriptEnd, TranscriptionDoor
from autoglm_phone.ipc.handover import bring_up
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.reading.changing_media import ChangingMedia
from autoglm_phone.reading.door import MediaProcess
from autoglm_phone.reading.messages import MediaModality

BOTH: frozenset[MediaModality] = frozenset({"vision", "speech"})
OLD, NEW = "v" * 64, "2" * 64


def process(config: bytes = b"", module: str = "fake_media") -> MediaProcess:
    return MediaProcess(module, config, BOTH, options=ProcessOptions(env={"PYTHONPATH": HERE}))


async def begun(media: MediaProcess | None) -> ChangingMedia:
    if media is not None:
        await bring_up(media)
    return ChangingMedia(media)


def is_there(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_what_was_asked_before_is_read_by_the_old_module(tmp_path: Path) -> None:
    async def test() -> None:
        changing = await begun(process())
        door: MediaDoor = changing
        old = changing.status()
        assert old is not None
        picture, opened = gate(tmp_path)
        asked_before = asyncio.create_task(door.read_image(picture, param="a"))
        waiting = asyncio.create_task(door.read_image(b"say waited", param="b"))
        await until(lambda: changing.status() is not None and bool(changing.status().busy))  # type: ignore[union-attr]  # the line before
        new = process(b"second")
        await bring_up(new)
        changing.hand_over(new)
        assert [(info.digest, users) for info, users in changing.leaving if info.modality == "vision"] == [(OLD, 2)]
        asked_after = await door.read_image(b"say after", param="c")
        assert (asked_after.module_digest, as_text(asked_after).text) == (NEW, "after")
        await asyncio.to_thread(opened, "before")
        readings = await asyncio.gather(asked_before, waiting)
        assert [(one.module_digest, as_text(one).text) for one in readings] == [(OLD, "before"), (OLD, "waited")]
        await until(lambda: not changing.leaving)
        assert not is_there(old.pid)
        await changing.stop()
        assert not is_there(new.status().pid)

    run(test())


def test_no_reading_of_the_old_module_is_told_by_the_new_one() -> None:
    async def test() -> None:
        changing = await begun(process())
        picture, sound = b"say hello", b"hello"
        for _ in range(2):
            await changing.read_image(picture, param="a")
        assert (await changing.read_sound(sound, param="b")).module_digest == "s" * 64
        new = process(b"second")
        await bring_up(new)
        changing.hand_over(new)
        for data, read in ((picture, changing.read_image), (sound, changing.read_sound)):
            fresh = await read(data, param="a")
            again = await read(data, param="a")
            assert [(one.module_digest, one.was_cached) for one in (fresh, again)] == [(NEW, False), (NEW, True)]
        await changing.stop()

    run(test())


def test_a_transcript_that_is_being_made_ends_with_the_old_module(tmp_path: Path) -> None:
    async def test() -> None:
        changing = await begun(process())
        door: TranscriptionDoor = changing
        sound, opened = gate(tmp_path)
        answers = door.transcribe(b"count|" + sound, HearingOptions(), param="file")
        first = await anext(answers)
        changing.hand_over(None)
        with pytest.raises(UnsupportedModality, match="speech module is not loaded"):
            await anext(door.transcribe(b"count", HearingOptions(), param="file"))
        await asyncio.to_thread(opened, "end")
        rest = [answer async for answer in answers]
        assert not isinstance(first, TranscriptEnd)
        assert (first.text.strip(), isinstance(rest[-1], TranscriptEnd)) == ("1", True)
        await until(lambda: not changing.leaving)
        await changing.stop()

    run(test())


def test_without_a_process_nothing_is_read_until_one_is_there() -> None:
    async def test() -> None:
        changing = await begun(None)
        assert (changing.has("vision"), changing.infos, changing.status()) == (False, (), None)
        with pytest.raises(UnsupportedModality):
            await changing.read_image(b"say no", param="a")
        new = process(b"second")
        await bring_up(new)
        changing.hand_over(new)
        assert changing.has("speech")
        assert {info.version for info in changing.infos} == {"2"}
        assert as_text(await changing.read_image(b"say yes", param="a")).text == "yes"
        await changing.stop()

    run(test())


def test_a_process_that_does_not_come_up_changes_nothing() -> None:
    async def test() -> None:
        changing = await begun(process())
        broken = process(module="no_such_module_anywhere")
        with pytest.raises(WorkerDied, match="exit code 1"):
            await bring_up(broken)
        assert broken.status().pid is None
        assert as_text(await changing.read_image(b"say still here", param="a")).text == "still here"
        await changing.stop()

    run(test())
