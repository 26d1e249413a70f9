"""The API's side of the voice process: an end to every text, whatever happens."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import assert_never

from autoglm_phone.core.errors import AutoGLMError, EngineError, InvalidRequest, NotReady, Overloaded, WorkerDied
from autoglm_phone.core.module import ModuleInfo
from autoglm_phone.core.voice import SpeakingOptions, Voice
from autoglm_phone.ipc.process import ProcessOptions, ProcessState, SupervisedProcess
from autoglm_phone.speaking.messages import (
    Began,
    Failed,
    Hush,
    Ready,
    Refused,
    Said,
    Speak,
    SpeechId,
    Spoken,
    decode_from_voice,
    encode,
)

MAX_SPEECHES = 16
# One piece is a few seconds of speech, which takes as long at most where the decoder is busy.
MAX_PIECE_S = 60.0

_Answer = bytes | AutoGLMError | None
"""A piece, why there are no more, or None behind the last."""


@dataclass(frozen=True)
class VoiceStatus:
    """num_texts: those that are being spoken."""

    state: ProcessState
    pid: int | None
    restarts: int
    error: str
    num_texts: int


class VoiceProcess:
    """The VoiceDoor over a supervised process."""

    def __init__(self, module: str, config: bytes, voices: tuple[Voice, ...], *, options: ProcessOptions) -> None:
        """voices: those that it will have, known before it is loaded."""
        self.info: ModuleInfo | None = None
        self.voices = voices
        self._ids = itertools.count()
        self._waiting: dict[SpeechId, asyncio.Queue[_Answer]] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._process = SupervisedProcess(
            "voice",
            module,
            config,
            on_frame=self._take,
            on_down=self._go_down,
            options=options,
        )

    def launch(self) -> None:
        """As MediaProcess.launch."""
        self._process.launch()

    async def start(self) -> None:
        await self._process.start()

    async def stop(self) -> None:
        await self._process.stop()

    async def wait_until_ready(self) -> None:
        await self._process.wait_until_ready()

    def status(self) -> VoiceStatus:
        process = self._process
        return VoiceStatus(process.state, process.pid, process.restarts, process.last_error, len(self._waiting))

    async def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[bytes, None]:
        if not self._process.is_ready:
            error = f": {self._process.last_error}" if self._process.last_error else ""
            raise NotReady(f"the voice module is {self._process.state}{error}; try again")
        if len(self._waiting) >= MAX_SPEECHES:
            raise Overloaded(f"{MAX_SPEECHES} texts are being spoken, which is the limit; try again")
        speech_id = SpeechId(next(self._ids))
        answers: asyncio.Queue[_Answer] = asyncio.Queue()
        self._process.send(encode(Speak(speech_id, text, options)))
        self._waiting[speech_id] = answers
        try:
            while (answer := await answers.get()) is not None:
                if isinstance(answer, AutoGLMError):
                    raise answer
                yield answer
        finally:
            if self._waiting.pop(speech_id, None) is not None:
                with contextlib.suppress(AutoGLMError):
                    self._process.send(encode(Hush(speech_id)))

    def _take(self, frame: bytes) -> None:
        message = decode_from_voice(frame)
        match message:
            case Ready(info, voices):
                self.info, self.voices = info, voices
            case Began():
                self._stop_watch()
                reason = f"a piece of speech took more than {MAX_PIECE_S:g} s"
                self._watch = asyncio.get_running_loop().call_later(MAX_PIECE_S, self._process.kill, reason)
            case Spoken():
                self._stop_watch()
                if message.id in self._waiting:
                    self._waiting[message.id].put_nowait(message.sound)
            case Said():
                self._end(message.id, None)
            case Refused():
                self._end(message.id, InvalidRequest(message.message, param=message.param))
            case Failed():
                self._end(message.id, EngineError(f"the text could not be spoken: {message.message}"))
            case _:
                assert_never(message)

    def _end(self, speech_id: SpeechId, answer: AutoGLMError | None) -> None:
        self._stop_watch()
        if (answers := self._waiting.pop(speech_id, None)) is not None:
            answers.put_nowait(answer)

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _go_down(self, reason: str) -> None:
        """The process has gone: nobody may wait for it."""
        self._stop_watch()
        waiting, self._waiting = self._waiting, {}
        for answers in waiting.values():
            answers.put_nowait(WorkerDied(f"the voice process died: {reason}"))
