"""Turns of speech from the probabilities of a voice, frame by frame. No clock, no sound. Places are samples."""

from dataclasses import dataclass

from autoglm_phone.core.live import FRAME_SAMPLES, LIVE_RATE

# A click is a frame or two.
_MIN_SPEECH_FRAMES = 3
# Once somebody speaks, he is believed to go on at a lower probability: the same margin as in silero's own programs.
_HYSTERESIS = 0.15
# Behind so much silence a turn may well be over: what was said is heard while the rest of the silence is waited for.
_PAUSE_MS = 160


@dataclass(frozen=True)
class TurnRules:
    """threshold: probability of a voice. prefix_ms: kept before a turn. silence_ms: what ends it."""

    threshold: float = 0.5
    prefix_ms: int = 300
    silence_ms: int = 500


@dataclass(frozen=True)
class TurnStarted:
    """start: with the prefix; never before the end of the turn before."""

    start: int


@dataclass(frozen=True)
class TurnPaused:
    """Silence since `end`; the turn may go on."""

    end: int


@dataclass(frozen=True)
class TurnResumed:
    """It does."""


@dataclass(frozen=True)
class TurnEnded:
    end: int


TurnEvent = TurnStarted | TurnPaused | TurnResumed | TurnEnded


class TurnDetector:
    """A turn is Started, any number of Paused and Resumed in turns, Paused, Ended."""

    def __init__(self, rules: TurnRules, position: int = 0) -> None:
        """position: where the next frame begins."""
        self._rules = rules
        self.position = position
        self._earliest = position
        self._num_voiced = 0
        self._is_speaking = False
        self._silent_since: int | None = None
        self._is_paused = False

    @property
    def is_speaking(self) -> bool:
        return self._is_speaking

    def push(self, probabilities: tuple[float, ...]) -> list[TurnEvent]:
        return [event for probability in probabilities for event in self._push(probability)]

    def _push(self, probability: float) -> list[TurnEvent]:
        begin, self.position = self.position, self.position + FRAME_SAMPLES
        if not self._is_speaking:
            self._num_voiced = self._num_voiced + 1 if probability >= self._rules.threshold else 0
            if self._num_voiced < _MIN_SPEECH_FRAMES:
                return []
            self._is_speaking, self._silent_since, self._is_paused = True, None, False
            first = self.position - self._num_voiced * FRAME_SAMPLES
            return [TurnStarted(max(self._earliest, first - _samples(self._rules.prefix_ms)))]
        if probability >= self._rules.threshold - _HYSTERESIS:
            self._silent_since = None
            was_paused, self._is_paused = self._is_paused, False
            return [TurnResumed()] if was_paused else []
        if self._silent_since is None:
            self._silent_since = begin
        return self._silence(self._silent_since)

    def _silence(self, since: int) -> list[TurnEvent]:
        silent = self.position - since
        events: list[TurnEvent] = []
        if not self._is_paused and silent >= _samples(min(_PAUSE_MS, self._rules.silence_ms)):
            self._is_paused = True
            events.append(TurnPaused(since))
        if silent >= _samples(self._rules.silence_ms):
            self._is_speaking, self._num_voiced = False, 0
            self._earliest = self.position
            events.append(TurnEnded(self.position))
        return events


def _samples(ms: int) -> int:
    return ms * LIVE_RATE // 1000
