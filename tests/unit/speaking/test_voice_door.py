"""The voice process and its door: an end to every text."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from autoglm_phone.core.errors import EngineError, InvalidRequest, NotReady, Overloaded, WorkerDied
from autoglm_phone.core.voice import SpeakingOptions
from autoglm_phone.ipc.process import ProcessOptions
from autoglm_phone.speaking.door import MAX_SPEECHES, VoiceProcess

HERE = str(Path(__file__).parent)
PLAIN = SpeakingOptions()


def door() -> VoiceProcess:
    return VoiceProcess("fake_voice", b"", (), options=ProcessOptions(env={"PYTHONPATH": HERE}))


@contextlib.asynccontextmanager
async def running(voice: VoiceProcess) -> AsyncIterator[VoiceProcess]:
    await voice.start()
    try:
        async with asyncio.timeout(20):
            await voice.wait_until_ready()
            yield voice
    finally:
        await voice.stop()


async def said(voice: VoiceProcess, text: str) -> list[str]:
    async with aclosing(voice.speak(text, PLAIN)) as pieces:
        return [np.frombuffer(piece, "<i2").astype(np.uint8).tobytes().decode() async for piece in pieces]


async def test_a_text_is_said_piece_by_piece() -> None:
    async with running(door()) as voice:
        assert await said(voice, "good morning") == ["good", "morning"]
        assert await said(voice, "") == []
        assert [one.id for one in voice.voices] == ["fake"]
        assert voice.info is not None
        assert voice.info.memory_bytes == 5


async def test_texts_take_turns() -> None:
    async with running(door()) as voice:
        results = await asyncio.gather(*(said(voice, f"{name} one two") for name in "abc"))
        assert results == [[name, "one", "two"] for name in "abc"]


async def test_what_cannot_be_said_ends_with_its_error_and_nothing_else_does() -> None:
    async with running(door()) as voice:
        with pytest.raises(InvalidRequest, match="no such voice"):
            await said(voice, "well refuse")
        with pytest.raises(EngineError, match="hoarse"):
            await said(voice, "fail")
        assert await said(voice, "fine") == ["fine"]


async def test_nobody_waits_for_a_voice_that_has_died() -> None:
    voice = door()
    with pytest.raises(NotReady):
        await said(voice, "early")
    async with running(voice):
        with pytest.raises(WorkerDied):
            await said(voice, "die")
        while voice.status().state != "ready":  # noqa: ASYNC110  # a status changes without an event
            await asyncio.sleep(0.001)
        assert await said(voice, "again") == ["again"]


async def test_who_leaves_is_not_spoken_to_any_more_and_texts_are_bounded(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with running(door()) as voice:
        texts = [f"{gate} late", *["late"] * (MAX_SPEECHES - 1)]
        waiting = [asyncio.create_task(said(voice, text)) for text in texts]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await said(voice, "more")
        writer = await asyncio.to_thread(gate.open, "w")  # until the first is being spoken
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        speaking = asyncio.create_task(said(voice, "now"))
        await asyncio.sleep(0)
        writer.write("open")
        writer.close()
        assert await speaking == ["now"]
