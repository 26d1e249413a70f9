"""The media process with its true modules: hostile and honest bytes through the door."""

import asyncio
import contextlib
import io
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from as_text import as_text
from PIL import Image, ImageDraw, ImageFont

from autoglm_phone.assemble.media_process import MediaProcessConfig, SpeechConfig, VisionConfig, media_door
from autoglm_phone.core.errors import AutoGLMError, MediaUndecodable, WorkerDied
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Modality, ModuleInfo
from autoglm_phone.reading.door import MediaProcess

pytestmark = pytest.mark.real
PATIENT_S = 60.0  # a test that fails ends after this; none waits for it


def info(modality: Modality) -> ModuleInfo:
    return ModuleInfo(modality, "transcriber", "arch", "1", Digest(modality[0] * 64), (), 0)


def picture_of(*words: str, width: int = 600) -> bytes:
    picture = Image.new("RGB", (width, 120 * len(words)), "white")
    for row, word in enumerate(words):
        ImageDraw.Draw(picture).text((40, 30 + 120 * row), word, fill="black", font=ImageFont.load_default(48))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not condition():  # noqa: ASYNC110  # a status changes without an event
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def running(config: MediaProcessConfig) -> AsyncIterator[MediaProcess]:
    media = media_door(config)
    await media.start()
    try:
        await until(lambda: media.status().state == "ready")
        yield media
    finally:
        await media.stop()


def test_words_of_a_picture_are_read_and_the_module_is_measured() -> None:
    async def test() -> None:
        async with running(MediaProcessConfig(vision=VisionConfig(info("vision")))) as media:
            reading = await media.read_image(picture_of("Settings", "Battery 42%"), param="a")
            assert "Settings" in as_text(reading).text
            assert "Battery 42%" in as_text(reading).text
            (vision,) = media.infos
            assert 50e6 < vision.memory_bytes < 400e6
            with pytest.raises(MediaUndecodable, match="part 7"):
                await media.read_image(b"\x89PNG\r\n\x1a\n" + bytes(100), param="part 7")

    asyncio.run(test())


def test_the_libraries_keep_no_record_of_their_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime numbers its user in a file and sends what it did, unless it is told before it is loaded not to."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    async def test() -> None:
        async with running(MediaProcessConfig(vision=VisionConfig(info("vision")))) as media:
            await media.read_image(picture_of("Settings"), param="a")

    asyncio.run(test())
    assert list(tmp_path.iterdir()) == []


def test_process_killed_while_it_reads_is_replaced() -> None:
    async def test() -> None:
        async with running(MediaProcessConfig(vision=VisionConfig(info("vision")))) as media:
            picture = picture_of(*[f"Line number {row}" for row in range(12)])
            waiter = asyncio.create_task(media.read_image(picture, param="part 1"))
            await until(lambda: "vision" in media.status().busy)
            pid = media.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(WorkerDied, match="died while reading part 1: killed by SIGKILL"):
                await waiter
            await until(lambda: media.status().state == "ready")
            assert "Line number 11" in as_text(await media.read_image(picture, param="part 1")).text

    asyncio.run(test())


def test_reader_that_runs_out_of_memory_fails_alone() -> None:
    async def test() -> None:
        # enough to load and to read a small picture, too little for what the detector makes of a large one
        config = MediaProcessConfig(vision=VisionConfig(info("vision")), max_address_space=1 << 30)
        async with running(config) as media:
            small = picture_of("small")
            pid = media.status().pid
            with pytest.raises(AutoGLMError, match="part 1"):
                await media.read_image(picture_of(*["large"] * 44, width=6000), param="part 1")
            await until(lambda: media.status().state == "ready")
            assert "small" in as_text(await media.read_image(small, param="part 2")).text
            assert media.status().pid == pid

    asyncio.run(test())


def test_speech_is_heard_and_heard_once(whisper_folder: Path, jfk: bytes) -> None:
    async def test() -> None:
        config = MediaProcessConfig(speech=SpeechConfig(info("speech"), folder=str(whisper_folder)))
        async with running(config) as media:
            first, second = await asyncio.gather(*[media.read_sound(jfk, param=name) for name in ("a", "b")])
            assert "ask not what your country can do for you" in as_text(first).text.lower().replace(",", "")
            assert first.reading == second.reading
            assert [first.was_cached, second.was_cached] == [False, True]

    asyncio.run(test())


@pytest.fixture
def whisper_folder() -> Path:
    folder = os.environ.get("AUTOGLM_TEST_WHISPER")
    if folder is None:
        pytest.skip("AUTOGLM_TEST_WHISPER does not name a folder with a whisper model")
    return Path(folder)


@pytest.fixture
def jfk() -> bytes:
    data = Path(os.environ.get("AUTOGLM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    file = data / "audio" / "jfk.flac"
    if not file.is_file():
        pytest.skip(f"{file} is not there; AUTOGLM_TEST_DATA names the folder of real recordings")
    return file.read_bytes()
