"""A transcript that follows a script, behind the real HTTP side; and forms as clients send them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
from scripted_services import House

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions, Segment, TranscriptEnd, Word

TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
FILE = {"file": ("talk.wav", b"RIFF", "audio/wav")}


def segment(text: str, start_s: float, end_s: float) -> Segment:
    words = tuple(Word(word, start_s, end_s, 0.75) for word in text.split())
    return Segment(text, start_s, end_s, (50364, 7), 0.0, 1.25, -0.25, 0.1, 1.5, words)


END = TranscriptEnd(4.2, Digest("a" * 64), Digest("b" * 64), was_cached=False, seconds=1.0)
HELLO: tuple[Heard | TranscriptEnd, ...] = (
    Heard("en", (segment(" Hello there.", 0.5, 1.25), segment(" Who is it?", 1.5, 2.0)), 3),
    Heard("en", (segment(" Me.", 3.0, 4.0),), 3),
    END,
)

Step = Heard | TranscriptEnd | Exception | asyncio.Event
"""What a script does next: send, raise, or wait until the test sets the event."""


class ScriptedTranscriptions:
    """Every transcript follows the script; what was asked is kept."""

    def __init__(self, script: Sequence[Step] = HELLO) -> None:
        self.script = script
        self.asked: list[tuple[bytes, HearingOptions, str]] = []
        self.is_waiting = asyncio.Event()
        self.is_closed = asyncio.Event()

    async def stream(
        self, sound: bytes, options: HearingOptions, *, param: str, client: Client
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        self.asked.append((sound, options, param))
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    self.is_waiting.set()
                    await step.wait()
                else:
                    yield step
        finally:
            self.is_closed.set()

    @property
    def options(self) -> HearingOptions:
        ((_, options, _),) = self.asked
        return options


def post_form(
    house: House, path: str = TRANSCRIPTIONS, *, files: Any = FILE, settings: Any = None, **fields: Any
) -> httpx.Response:
    """One form, from its own event loop. `[]` behind a name is written `_list`."""
    data = {name.replace("_list", "[]"): value for name, value in fields.items()}

    async def ask() -> httpx.Response:
        async with house.client(**(settings or {})) as client:
            return await client.post(path, data=data, files=files)

    return asyncio.run(ask())
