"""TranscriptionService: owns the transcript of a sound from its bytes to its last window."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.request import Client
from autoglm_phone.core.transcript import Heard, HearingOptions, Task, TranscriptEnd, TranscriptionDoor


class TranscriptionObserver(Protocol):
    """Called on the event loop; must not block or raise."""

    def transcribed(self, task: Task, outcome: str, end: TranscriptEnd | None) -> None:
        """outcome: done, left, or the name of an error; end is there if it is done."""


class TranscriptionService:
    """media None: no media module at all. One instance serves all requests; it holds nothing of any of them."""

    def __init__(self, media: TranscriptionDoor | None, observer: TranscriptionObserver) -> None:
        self._media, self._observer = media, observer

    async def stream(
        self, sound: bytes, options: HearingOptions, *, param: str, client: Client
    ) -> AsyncGenerator[Heard | TranscriptEnd, None]:
        """Heard for every window in which somebody speaks, then one TranscriptEnd.

        Closing it early ends the work after the window that is being heard. Raises RequestError or EngineError.
        A draft is not counted.
        """
        outcome, end = "left", None
        try:
            if self._media is None or not self._media.has("speech"):
                raise UnsupportedModality(
                    f"{param}: this server takes no sounds: its speech module is not loaded", param=param
                )
            async with aclosing(self._media.transcribe(sound, options, param=param, client=client)) as answers:
                async for answer in answers:
                    if isinstance(answer, TranscriptEnd):
                        outcome, end = "done", answer
                    yield answer
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            if not options.is_draft:
                self._observer.transcribed(options.task, outcome, end)
