"""Drafts: the words of one turn while it is spoken, heard again and again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.chat.live.agreed_text import AgreedText
from autoglm_phone.chat.live.draft_window import DraftWindow
from autoglm_phone.chat.live.sound_tape import SoundTape
from autoglm_phone.core.errors import AutoGLMError
from autoglm_phone.core.live import LIVE_RATE
from autoglm_phone.core.transcript import Heard

# From the beginning of one draft to that of the next; a draft takes most of it, of one core.
_EVERY_S = 0.35
# A first word takes about this long, and then people wait for it: until it is there, drafts follow on each other, but
# not for longer than a second if it is noise.
_FIRST_S, _AGAIN_S, _EAGER_S = 0.25, 0.1, 1.0

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class DraftWish:
    """That a draft will do. language: known from before. with_times: whether the times of words are wanted."""

    language: str | None
    with_times: bool


Hear = Callable[[Samples, DraftWish | None], Awaitable[Sequence[Heard]]]
"""The words of samples at LIVE_RATE, with care for None. Raises AutoGLMError."""

Tell = Callable[[str, str], Awaitable[None]]
"""What has become certain, and all of the draft."""


class Drafts:
    """Of the turn that begins at `start` of the tape. Whoever calls `run` must call `stop`."""

    def __init__(self, tape: SoundTape, start: int, hear: Hear, tell: Tell) -> None:
        self._tape, self._start, self._hear, self._tell = tape, start, hear, tell
        self._agreed = AgreedText()
        self._window = DraftWindow(start)
        self._heard_until = start
        self._text = ""
        self._is_wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Begin, or go on behind a pause."""
        self._is_wanted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def pause(self) -> None:
        """A draft that is being made is still told; no other is begun."""
        self._is_wanted.clear()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def settle(self, heard: Sequence[Heard], end: int) -> None:
        """What was heard with care, from the turn's beginning up to here, stands for a draft."""
        await self._add("".join(one.text for one in heard).strip(), end)
        self._window.settle(heard, end)

    def finish(self, text: str) -> str:
        """What of the turn's words was not certain yet, if it goes on where that ended."""
        return self._agreed.finish(text)

    async def _run(self) -> None:
        await asyncio.sleep(_FIRST_S)
        while True:
            await self._is_wanted.wait()
            started, end = time.monotonic(), self._tape.end
            if end > self._heard_until:
                with suppress(AutoGLMError):  # the turn's own words are heard in the end, whatever becomes of a draft
                    await self._draft(end)
            is_eager = not self._text and end - self._start < _EAGER_S * LIVE_RATE
            every_s = _AGAIN_S if is_eager else _EVERY_S
            await asyncio.sleep(max(0.0, every_s - (time.monotonic() - started)))

    async def _draft(self, end: int) -> None:
        window = self._window
        wish = DraftWish(window.language, window.wants_times(end))
        heard = await self._hear(self._tape.cut(window.start, end), wish)
        if end > self._heard_until:  # else somebody has heard more meanwhile
            await self._add(window.text(heard) if heard else "", end)
            window.move(heard, end, num_agreed=self._agreed.num_agreed)

    async def _add(self, text: str, end: int) -> None:
        """A draft that hears nothing takes nothing back: the last one is told again."""
        self._heard_until = end
        certain = ""
        if text:
            self._text = text
            certain = self._agreed.push(text)
        if self._text:
            await self._tell(certain, self._text)
