"""ChangingMedia: the media door whose process can be replaced while pictures and sounds are being read."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.live import LiveVoice
from autoglm_phone.core.module import MediaReading, ModuleInfo
from autoglm_phone.core.request import ANYONE, Client
from autoglm_phone.core.transcript import Heard, HearingOptions, TranscriptEnd
from autoglm_phone.ipc.handover import Handover
from autoglm_phone.reading.door import MediaProcess, MediaStatus
from autoglm_phone.reading.live_door import LiveSound
from autoglm_phone.reading.messages import MediaModality


class ChangingMedia:
    """A MediaDoor and a TranscriptionDoor. None stands for no process: no module that reads media is loaded."""

    def __init__(self, first: MediaProcess | None) -> None:
        self._handover: Handover[MediaProcess | None] = Handover(first, _end)

    @property
    def current(self) -> MediaProcess | None:
        return self._handover.current

    @property
    def infos(self) -> tuple[ModuleInfo, ...]:
        return self.current.infos if self.current is not None else ()

    @property
    def leaving(self) -> list[tuple[ModuleInfo, int]]:
        """Modules of processes that were replaced, with the requests that their process still answers."""
        return [
            (info, num_users)
            for media, num_users in self._handover.leaving
            for info in (media.infos if media is not None else ())
        ]

    def hand_over(self, new: MediaProcess | None) -> None:
        """new: started and ready. What the old process was asked for, it still answers."""
        self._handover.hand_over(new)

    async def stop(self) -> None:
        await self._handover.stop()

    def live_voice(self) -> LiveVoice:
        """A LiveDoor too: until it is closed, its process is not ended."""
        with contextlib.ExitStack() as stack:
            media = _loaded(stack.enter_context(self._handover.using()), "speech", "a live sound")
            return _HeldVoice(media.live_voice(), stack.pop_all(), lambda: self.current is media)

    def status(self) -> MediaStatus | None:
        return self.current.status() if self.current is not None else None

    def has(self, modality: MediaModality) -> bool:
        return self.current is not None and self.current.has(modality)

    async def read_image(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        with self._handover.using() as media:
            return await _loaded(media, "vision", param).read_image(data, param=param, client=client)

    async def read_sound(self, data: bytes, *, param: str, client: Client = ANYONE) -> MediaReading:
        with self._handover.using() as media:
            return await _loaded(media, "speech", param).read_sound(data, param=param, client=client)

    async def transcribe(
        self, data: bytes, options: HearingOptions, *, param: str, client: Client = ANYONE
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        with self._handover.using() as media:
            answers = _loaded(media, "speech", param).transcribe(data, options, param=param, client=client)
            async with aclosing(answers):
                async for answer in answers:
                    yield answer


@dataclass(frozen=True)
class _HeldVoice:
    """A live sound, and what lets go of its process."""

    voice: LiveSound
    hold: contextlib.ExitStack
    is_current: Callable[[], bool]

    @property
    def is_leaving(self) -> bool:
        return not self.is_current()

    async def push(self, samples: NDArray[np.int16]) -> tuple[float, ...]:
        return await self.voice.push(samples)

    def close(self) -> None:
        self.voice.close()
        self.hold.close()


def _loaded(media: MediaProcess | None, modality: MediaModality, param: str) -> MediaProcess:
    if media is None:
        raise UnsupportedModality(f"{param}: the {modality} module is not loaded on this server", param=param)
    return media


async def _end(media: MediaProcess | None) -> None:
    if media is not None:
        await media.stop()
