"""ChangingVoice: the voice door whose process can be loaded, replaced and taken away while texts are spoken."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.core.voice import SpeakingOptions, Voice, VoiceDoor
from autoglm_phone.ipc.handover import Handover
from autoglm_phone.speaking.door import VoiceProcess


class ChangingVoice:
    """A VoiceDoor while `door` gives it. None stands for no process."""

    def __init__(self, first: VoiceProcess | None) -> None:
        self._handover: Handover[VoiceProcess | None] = Handover(first, _end)

    @property
    def current(self) -> VoiceProcess | None:
        return self._handover.current

    def door(self) -> VoiceDoor | None:
        """None while no voice is loaded."""
        return self if self.current is not None else None

    @property
    def leaving(self) -> list[tuple[ModuleInfo, int]]:
        """Those that were replaced, with the texts that their process still speaks."""
        return [
            (voice.info, num_users)
            for voice, num_users in self._handover.leaving
            if voice is not None and voice.info is not None
        ]

    def hand_over(self, new: VoiceProcess | None) -> None:
        """new: started and ready. What the old one was given, it still speaks."""
        self._handover.hand_over(new)

    async def stop(self) -> None:
        await self._handover.stop()

    @property
    def voices(self) -> tuple[Voice, ...]:
        return self.current.voices if self.current is not None else ()

    async def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[bytes, None]:
        with self._handover.using() as voice:
            if voice is None:
                raise UnsupportedModality("this server has no voice: its voice module is not loaded")
            async with aclosing(voice.speak(text, options)) as pieces:
                async for piece in pieces:
                    yield piece


async def _end(voice: VoiceProcess | None) -> None:
    if voice is not None:
        await voice.stop()
