"""Turns from probabilities, frame by frame."""

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.chat.live.turn_detector import (
    TurnDetector,
    TurnEnded,
    TurnEvent,
    TurnPaused,
    TurnResumed,
    TurnRules,
    TurnStarted,
)

FRAME = 512
VOICE, SILENCE = 0.9, 0.1


def frames(*runs: tuple[float, int]) -> tuple[float, ...]:
    return tuple(probability for probability, count in runs for _ in range(count))


def events(*runs: tuple[float, int], rules: TurnRules | None = None) -> list[TurnEvent]:
    return TurnDetector(rules or TurnRules()).push(frames(*runs))


def test_a_turn_begins_before_its_first_voice_and_ends_behind_the_silence() -> None:
    # 500 ms are more than 15 frames and less than 16
    assert events((SILENCE, 20), (VOICE, 10), (SILENCE, 30)) == [
        TurnStarted(20 * FRAME - 4800),
        TurnPaused(30 * FRAME),
        TurnEnded(46 * FRAME),
    ]


def test_a_click_is_no_turn() -> None:
    assert events((SILENCE, 5), (VOICE, 2), (SILENCE, 30)) == []


def test_a_short_pause_is_taken_back() -> None:
    kinds = [type(event) for event in events((VOICE, 5), (SILENCE, 8), (VOICE, 5), (SILENCE, 30))]
    assert kinds == [TurnStarted, TurnPaused, TurnResumed, TurnPaused, TurnEnded]


def test_a_voice_that_falls_a_little_is_still_one() -> None:
    assert len(events((VOICE, 5), (0.4, 100))) == 1
    assert len(events((0.4, 100))) == 0


def test_the_prefix_does_not_reach_into_the_turn_before() -> None:
    first, _, ended, second = events((VOICE, 5), (SILENCE, 16), (VOICE, 5))
    assert isinstance(ended, TurnEnded)
    assert first == TurnStarted(0)
    assert second == TurnStarted(ended.end)


@given(st.lists(st.floats(0, 1), max_size=200), st.data())
def test_however_the_frames_come_the_turns_are_the_same(probabilities: list[float], data: st.DataObject) -> None:
    rules = TurnRules(silence_ms=data.draw(st.sampled_from([100, 200, 500])))
    whole = TurnDetector(rules).push(tuple(probabilities))
    pieces = TurnDetector(rules)
    cut = data.draw(st.integers(0, len(probabilities)))
    assert pieces.push(tuple(probabilities[:cut])) + pieces.push(tuple(probabilities[cut:])) == whole
    grammar = "".join(type(event).__name__[4] for event in whole)  # Started Paused Resumed Ended
    assert all(turn.strip("SPR") == "" for turn in grammar.split("E"))
    assert all(turn.startswith("S") and turn.endswith("P") for turn in grammar.split("E")[:-1])
