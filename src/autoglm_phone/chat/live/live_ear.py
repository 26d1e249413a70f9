"""LiveEar: owns a sound that goes on, from its samples to turns of speech and their words.

Without rules for turns the caller says where one ends (`commit`). While somebody speaks, what was said so far is heard
again and again as a draft; behind a pause it is heard with care, before it is certain that the turn is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

from autoglm_phone.chat.live.drafts import Drafts, Hear, Samples
from autoglm_phone.chat.live.sound_tape import SoundTape
from autoglm_phone.chat.live.turn_detector import (
    TurnDetector,
    TurnEnded,
    TurnEvent,
    TurnPaused,
    TurnResumed,
    TurnRules,
    TurnStarted,
)
from autoglm_phone.core.errors import AutoGLMError, InvalidRequest, MediaTooLarge, Overloaded
from autoglm_phone.core.live import FRAME_SAMPLES, LIVE_RATE, LiveDoor, LiveVoice

# Kept before a turn besides its prefix: what the detector takes to be sure.
_SPARE_SAMPLES = 8 * FRAME_SAMPLES
# A longer turn is heard once, behind its end: at every pause it would be heard from its beginning.
_EARLY_S = 28
# Turns that have ended and are still being heard. Nobody speaks as fast.
_MAX_ENDING = 8
# A detector that was not asked for so long holds no process any more.
_IDLE_S = 10.0
# At most so much goes to the detector at once, so that its answers come in time.
_PUSH_SAMPLES = 32 * FRAME_SAMPLES


@dataclass(frozen=True)
class SpeechBegan:
    turn: str
    start_s: float


@dataclass(frozen=True)
class Overheard:
    """A draft. certain: what is now unlikely to be taken back, behind what was; text: all of the draft."""

    turn: str
    certain: str
    text: str


@dataclass(frozen=True)
class SpeechOver:
    """The words will follow. by_voice: silence ended the turn, not the caller."""

    turn: str
    end_s: float
    duration_s: float
    by_voice: bool


@dataclass(frozen=True)
class Understood:
    """rest: what of the text was not yet certain, if it goes on where that ended."""

    turn: str
    text: str
    rest: str
    duration_s: float


@dataclass(frozen=True)
class Misheard:
    turn: str
    error: AutoGLMError


EarEvent = SpeechBegan | Overheard | SpeechOver | Understood | Misheard
Tell = Callable[[EarEvent], Awaitable[None]]


@dataclass(eq=False)
class _Turn:
    id: str
    start: int
    drafts: Drafts
    hearing: asyncio.Task[str] | None = None

    def stop(self) -> None:
        self.drafts.stop()
        if self.hearing is not None:
            self.hearing.cancel()


class LiveEar:
    """Whoever makes one must await `close`. max_s: of what is held at once.

    rules None: the caller ends the turns. has_drafts: whether words are wanted while they are spoken.
    """

    def __init__(self, door: LiveDoor, hear: Hear, tell: Tell, new_id: Callable[[], str], *, max_s: float) -> None:
        self._door, self._hear, self._tell, self._new_id = door, hear, tell, new_id
        self._max_s = max_s
        self._rules: TurnRules | None = None
        self._has_drafts = True
        self._tape = SoundTape()
        self._voice: LiveVoice | None = None
        self._detector: TurnDetector | None = None
        self._turn: _Turn | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None

    def configure(self, rules: TurnRules | None, *, has_drafts: bool) -> None:
        """New rules for turns begin the sound anew."""
        self._has_drafts = has_drafts
        if rules != self._rules:
            self._rules = rules
            self.clear()

    async def append(self, samples: Samples) -> None:
        """Raises MediaTooLarge where nobody ends the turn, EngineError where the detector has gone."""
        if self._rules is None:
            self._append_to_turn(samples)
            return
        for start in range(0, len(samples), _PUSH_SAMPLES):
            piece = samples[start : start + _PUSH_SAMPLES]
            self._tape.append(piece)
            await self._listen(piece, self._rules)

    async def commit(self) -> str:
        """End the turn here; its id. Raises InvalidRequest if nothing is there."""
        if self._tape.end == self._tape.start:
            raise InvalidRequest("the input audio buffer is empty; append audio before it is committed")
        if self._turn is None:
            self._turn = self._new_turn(self._tape.start)
        if self._detector is not None and self._rules is not None:
            self._detector = TurnDetector(self._rules, self._detector.position)
        return await self._end_turn(self._turn, self._tape.end, by_voice=False)

    def clear(self) -> None:
        """Forget what has not become a turn."""
        if self._turn is not None:
            self._turn.stop()
            self._turn = None
        self._tape.forget(self._tape.end)
        self._close_voice()

    async def close(self) -> None:
        self.clear()
        for task in self._ending:
            task.cancel()
        if self._ending:
            await asyncio.wait(self._ending)

    def _append_to_turn(self, samples: Samples) -> None:
        if self._tape.duration_s + len(samples) / LIVE_RATE > self._max_s:
            raise MediaTooLarge(
                f"the input audio buffer may hold {self._max_s:g} s; commit it, or clear it, before more is appended"
            )
        if self._turn is None:
            self._turn = self._new_turn(self._tape.end)
            self._run_drafts(self._turn)
        self._tape.append(samples)

    async def _listen(self, samples: Samples, rules: TurnRules) -> None:
        self._stop_idle()
        if self._turn is None and self._voice is not None and self._voice.is_leaving:
            self._close_voice()
        try:
            if self._voice is None:
                self._voice = self._door.live_voice()
                self._detector = TurnDetector(rules, self._tape.end - len(samples))
            probabilities = await self._voice.push(samples)
        except AutoGLMError:
            self.clear()
            raise
        assert self._detector is not None
        self._idle = asyncio.get_running_loop().call_later(_IDLE_S, self._rest)
        for event in self._detector.push(probabilities):
            await self._follow(event)
        if self._turn is None:
            prefix = rules.prefix_ms * LIVE_RATE // 1000
            self._tape.forget(self._detector.position - prefix - _SPARE_SAMPLES)
        elif self._tape.end - self._turn.start > self._max_s * LIVE_RATE:
            await self.commit()

    async def _follow(self, event: TurnEvent) -> None:
        turn = self._turn
        match event:
            case TurnStarted(start):
                turn = self._turn = self._new_turn(start)
                await self._tell(SpeechBegan(turn.id, start / LIVE_RATE))
                self._run_drafts(turn)
            case TurnPaused() if turn is not None:
                turn.drafts.pause()
                if self._tape.end - turn.start <= _EARLY_S * LIVE_RATE:
                    turn.hearing = self._start_hearing(turn, self._tape.end)
            case TurnResumed() if turn is not None:
                if turn.hearing is not None:
                    turn.hearing.cancel()
                    turn.hearing = None
                self._run_drafts(turn)
            case TurnEnded(end) if turn is not None:
                await self._end_turn(turn, end, by_voice=True)
            case TurnPaused() | TurnResumed() | TurnEnded():
                pass  # of a turn that the caller has ended
            case _:
                assert_never(event)

    async def _end_turn(self, turn: _Turn, end: int, *, by_voice: bool) -> str:
        self._turn = None
        turn.drafts.stop()
        if turn.hearing is None or not by_voice:
            turn.hearing = self._start_hearing(turn, end)
        duration_s = (end - turn.start) / LIVE_RATE
        self._tape.forget(end)
        await self._tell(SpeechOver(turn.id, end / LIVE_RATE, duration_s, by_voice))
        ending = asyncio.create_task(self._finish(turn, turn.hearing, duration_s))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return turn.id

    def _new_turn(self, start: int) -> _Turn:
        turn_id = self._new_id()

        async def tell(certain: str, text: str) -> None:
            await self._tell(Overheard(turn_id, certain, text))

        return _Turn(turn_id, start, Drafts(self._tape, start, self._hear, tell))

    def _start_hearing(self, turn: _Turn, end: int) -> asyncio.Task[str]:
        are_many_ending = len(self._ending) >= _MAX_ENDING

        async def hear(samples: Samples) -> str:
            if are_many_ending:
                raise Overloaded(f"{_MAX_ENDING} turns of this session are being heard; wait for their words")
            heard = await self._hear(samples, None)
            if self._has_drafts and turn is self._turn:  # he has paused, and may go on
                await turn.drafts.settle(heard, end)
            return "".join(one.text for one in heard).strip()

        hearing = asyncio.create_task(hear(self._tape.cut(turn.start, end)))
        hearing.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may want it any more
        return hearing

    async def _finish(self, turn: _Turn, hearing: asyncio.Task[str], duration_s: float) -> None:
        try:
            text = await hearing
        except AutoGLMError as error:
            await self._tell(Misheard(turn.id, error))
        else:
            await self._tell(Understood(turn.id, text, turn.drafts.finish(text), duration_s))
        finally:
            hearing.cancel()

    def _run_drafts(self, turn: _Turn) -> None:
        if self._has_drafts:
            turn.drafts.run()

    def _rest(self) -> None:
        """Nobody speaks, and nothing comes: a process that was replaced need not stay for that."""
        if self._turn is None:
            self._close_voice()

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _close_voice(self) -> None:
        self._stop_idle()
        if self._voice is not None:
            self._voice.close()
        self._voice = self._detector = None
