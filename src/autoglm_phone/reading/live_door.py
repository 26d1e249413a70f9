"""The API's side of live sounds: each waits for one answer at a time, and none waits for a process that has gone."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import AutoGLMError, EngineError, Overloaded
from autoglm_phone.reading.messages import LiveClosed, LiveId, LiveSamples, LiveVoices

MAX_LIVE = 64

Send = Callable[[LiveSamples | LiveClosed], None]
"""Raises AutoGLMError where the process is not there."""


class LiveSound:
    """The LiveVoice of one sound."""

    def __init__(self, sounds: "LiveDoorSide", live_id: LiveId) -> None:
        self._sounds, self._id = sounds, live_id

    async def push(self, samples: NDArray[np.int16]) -> tuple[float, ...]:
        return await self._sounds.ask(self._id, samples.tobytes())

    def close(self) -> None:
        self._sounds.close(self._id)


class LiveDoorSide:
    """All that are open. None: no answer is waited for."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ids = itertools.count()
        self._open: dict[LiveId, asyncio.Future[tuple[float, ...]] | None] = {}

    def open(self) -> LiveSound:
        if len(self._open) >= MAX_LIVE:
            raise Overloaded(f"{MAX_LIVE} live sounds are being listened to, which is the limit; try again")
        live_id = LiveId(next(self._ids))
        self._open[live_id] = None
        return LiveSound(self, live_id)

    async def ask(self, live_id: LiveId, data: bytes) -> tuple[float, ...]:
        if live_id not in self._open:
            raise EngineError("the media process that listened to this sound has gone; begin a new one")
        assert self._open[live_id] is None
        waiting: asyncio.Future[tuple[float, ...]] = asyncio.get_running_loop().create_future()
        self._open[live_id] = waiting
        self._send(LiveSamples(live_id, data))
        return await waiting

    def answer(self, message: LiveVoices) -> None:
        waiting = self._open.get(message.id)
        if waiting is not None:
            self._open[message.id] = None
            if not waiting.done():
                waiting.set_result(message.probabilities)

    def close(self, live_id: LiveId) -> None:
        if live_id in self._open:
            del self._open[live_id]
            with contextlib.suppress(AutoGLMError):
                self._send(LiveClosed(live_id))

    def fail_all(self, error: AutoGLMError) -> None:
        """The process has gone, and with it what its detectors remembered."""
        waiting, self._open = list(self._open.values()), {}
        for one in waiting:
            if one is not None and not one.done():
                one.set_exception(error)
