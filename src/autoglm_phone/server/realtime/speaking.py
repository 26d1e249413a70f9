"""Speaks an answer while it is written: sentences in, sound out, in the order in which they came."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from autoglm_phone.core.voice import VOICE_RATE, SpeakingOptions, VoiceDoor
from autoglm_phone.server.hangup import end_task
from autoglm_phone.text.sentence_splitter import SentenceSplitter
from autoglm_phone.text.speakable import speakable

_BYTES_PER_MS = VOICE_RATE * 2 / 1000

SendSound = Callable[[bytes], Awaitable[None]]


class Speaking:
    """Whoever makes one must await `finish` or `aclose`. spoken: what was said, and how many milliseconds it took."""

    def __init__(self, voice: VoiceDoor, options: SpeakingOptions, send: SendSound) -> None:
        self._voice, self._options, self._send = voice, options, send
        self._splitter = SentenceSplitter()
        self._sentences: asyncio.Queue[str | None] = asyncio.Queue()
        self.spoken: list[tuple[str, float]] = []
        self._task = asyncio.create_task(self._speak())

    def push(self, text: str) -> None:
        for sentence in self._splitter.push(text):
            self._sentences.put_nowait(sentence)

    async def finish(self) -> None:
        """Until all is said. Raises what kept it from being said."""
        for sentence in self._splitter.push("", final=True):
            self._sentences.put_nowait(sentence)
        self._sentences.put_nowait(None)
        await self._task

    async def aclose(self) -> None:
        """Fall silent. May be called twice."""
        await end_task(self._task)

    async def _speak(self) -> None:
        while (sentence := await self._sentences.get()) is not None:
            num_bytes = 0
            if text := speakable(sentence):
                async with aclosing(self._voice.speak(text, self._options)) as pieces:
                    async for piece in pieces:
                        num_bytes += len(piece)
                        await self._send(piece)
            self.spoken.append((sentence, num_bytes / _BYTES_PER_MS))
