import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

import pytest

from autoglm_phone.chat.transcription import TranscriptionService
from autoglm_phone.core.errors import UnsupportedModality, WorkerDied
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.request import ANYONE, Client
from autoglm_phone.core.transcript import Heard, HearingOptions, Task, TranscriptEnd

OPTIONS = HearingOptions("translate")
ONE, TWO = Heard("en", ()), Heard("zh", ())
END = TranscriptEnd(4.0, Digest("a" * 64), Digest("b" * 64), was_cached=True, seconds=0.0)


class ScriptedDoor:
    def __init__(self, script: Sequence[Heard | TranscriptEnd | Exception], *, has_ears: bool = True) -> None:
        self._script, self._has_ears = script, has_ears
        self.asked: list[tuple[bytes, HearingOptions, str]] = []
        self.is_closed = False

    def has(self, modality: Literal["vision", "speech"]) -> bool:
        return self._has_ears

    async def transcribe(
        self, data: bytes, options: HearingOptions, *, param: str, client: Client = ANYONE
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        self.asked.append((data, options, param))
        try:
            for step in self._script:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.is_closed = True


class Notes:
    def __init__(self) -> None:
        self.told: list[tuple[Task, str, TranscriptEnd | None]] = []

    def transcribed(self, task: Task, outcome: str, end: TranscriptEnd | None) -> None:
        self.told.append((task, outcome, end))


def heard(service: TranscriptionService, *, leave_after: int | None = None) -> list[Heard | TranscriptEnd]:
    async def ask() -> list[Heard | TranscriptEnd]:
        answers: list[Heard | TranscriptEnd] = []
        async with aclosing(service.stream(b"talk", OPTIONS, param="file", client=ANYONE)) as parts:
            async for part in parts:
                answers.append(part)
                if len(answers) == leave_after:
                    break
        return answers

    return asyncio.run(ask())


def test_windows_and_the_end_are_passed_on_and_counted() -> None:
    door, notes = ScriptedDoor((ONE, TWO, END)), Notes()
    assert heard(TranscriptionService(door, notes)) == [ONE, TWO, END]
    assert door.asked == [(b"talk", OPTIONS, "file")]
    assert notes.told == [("translate", "done", END)]


def test_leaving_closes_the_door() -> None:
    door, notes = ScriptedDoor((ONE, TWO, END)), Notes()
    assert heard(TranscriptionService(door, notes), leave_after=1) == [ONE]
    assert door.is_closed
    assert notes.told == [("translate", "left", None)]


def test_an_error_is_raised_and_named() -> None:
    notes = Notes()
    with pytest.raises(WorkerDied):
        heard(TranscriptionService(ScriptedDoor((ONE, WorkerDied("it has died"))), notes))
    assert notes.told == [("translate", "WorkerDied", None)]


@pytest.mark.parametrize("door", [None, ScriptedDoor((), has_ears=False)])
def test_without_ears_nothing_is_heard(door: ScriptedDoor | None) -> None:
    notes = Notes()
    with pytest.raises(UnsupportedModality, match="file: this server takes no sounds") as refused:
        heard(TranscriptionService(door, notes))
    assert refused.value.param == "file"
    assert notes.told == [("translate", "UnsupportedModality", None)]
