"""LiveEar over a loudness detector; what is heard is the number of samples, in thousands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from autoglm_phone.chat.live.drafts import DraftWish, Samples
from autoglm_phone.chat.live.live_ear import (
    EarEvent,
    LiveEar,
    Misheard,
    Overheard,
    SpeechBegan,
    SpeechOver,
    Understood,
)
from autoglm_phone.chat.live.turn_detector import TurnRules
from autoglm_phone.core.errors import EngineError, InvalidRequest, MediaTooLarge, Overloaded, WorkerDied
from autoglm_phone.core.live import FRAME_SAMPLES, LIVE_RATE
from autoglm_phone.core.transcript import Heard, Segment


@dataclass
class Voice:
    is_dead: bool = False
    is_leaving: bool = False
    is_closed: bool = False

    async def push(self, samples: Samples) -> tuple[float, ...]:
        if self.is_dead:
            raise WorkerDied("gone")
        return tuple(float(level > 0) for level in samples.reshape(-1, FRAME_SAMPLES).max(axis=1))

    def close(self) -> None:
        self.is_closed = True


@dataclass
class House:
    """gate, draft_gate: hearing waits for it. heard: how many samples, and whether a draft would do."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    draft_gate: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[tuple[int, bool]] = field(default_factory=list)
    events: list[EarEvent] = field(default_factory=list)
    voices: list[Voice] = field(default_factory=list)
    fails: bool = False
    is_mute: bool = False

    def __post_init__(self) -> None:
        self.gate.set()
        self.draft_gate.set()

    def live_voice(self) -> Voice:
        self.voices.append(Voice())
        return self.voices[-1]

    async def hear(self, samples: Samples, draft: DraftWish | None) -> tuple[Heard, ...]:
        self.heard.append((len(samples), draft is not None))
        await (self.gate if draft is None else self.draft_gate).wait()
        if self.fails:
            raise EngineError("deaf")
        if self.is_mute:
            return ()
        text = f" {len(samples) // 1000} thousand"
        return (Heard("en", (Segment(text, 0.0, 1.0, (), 0.0, 0.0, -0.1, 0.0, 1.0),)),)

    async def tell(self, event: EarEvent) -> None:
        self.events.append(event)

    async def until(self, *kinds: type[EarEvent]) -> list[EarEvent]:
        async with asyncio.timeout(10):
            while not any(isinstance(event, kinds) for event in self.events):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return self.events


def run(
    test: Callable[[House, LiveEar], Awaitable[None]],
    rules: TurnRules | None,
    *,
    drafts: bool = False,
    max_s: float = 4,
) -> House:
    async def go() -> House:
        house = House()
        ids = iter("abcdefghij")
        ear = LiveEar(house, house.hear, house.tell, lambda: next(ids), max_s=max_s)
        ear.configure(rules, has_drafts=drafts)
        async with asyncio.timeout(20):
            await test(house, ear)
            await ear.close()
        return house

    return asyncio.run(go())


def voice(num_frames: int) -> Samples:
    return np.ones(num_frames * FRAME_SAMPLES, np.int16)


def silence(num_frames: int) -> Samples:
    return np.zeros(num_frames * FRAME_SAMPLES, np.int16)


def test_what_is_said_before_a_pause_is_heard_before_the_turn_is_over() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(np.concatenate([silence(20), voice(20), silence(8)]))
        await asyncio.sleep(0)
        assert house.heard == [(4800 + 28 * FRAME_SAMPLES, False)]  # prefix, voice, and the pause so far
        await ear.append(silence(20))
        began, over, understood = await house.until(Understood)
        assert isinstance(began, SpeechBegan)
        assert isinstance(over, SpeechOver)
        assert over.by_voice
        assert understood == Understood("a", "19 thousand", "19 thousand", over.duration_s)
        assert len(house.heard) == 1

    run(test, TurnRules())


def test_who_goes_on_behind_a_pause_is_heard_again() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        house.gate.clear()
        await ear.append(np.concatenate([voice(20), silence(8), voice(20), silence(20)]))
        house.gate.set()
        events = await house.until(Understood)
        assert [type(event) for event in events] == [SpeechBegan, SpeechOver, Understood]

    run(test, TurnRules())


def test_drafts_are_told_while_somebody_speaks_and_not_behind_the_end() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(voice(20))
        await house.until(Overheard)
        await ear.append(silence(20))
        await house.until(Understood)
        assert isinstance(house.events[-1], Understood)

    house = run(test, TurnRules(), drafts=True)
    assert {is_draft for _, is_draft in house.heard} == {True, False}


def test_what_is_heard_in_a_pause_stands_for_a_draft_and_for_older_ones() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        house.draft_gate.clear()
        await ear.append(voice(20))
        async with asyncio.timeout(10):
            while not house.heard:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await ear.append(silence(8))
        assert isinstance((await house.until(Overheard))[-1], Overheard)
        house.draft_gate.set()
        await ear.append(np.concatenate([voice(20), silence(20)]))
        await house.until(Understood)

    house = run(test, TurnRules(), drafts=True)
    assert house.heard[0] == (20 * FRAME_SAMPLES, True)
    assert [event.text for event in house.events if isinstance(event, Overheard)] == ["14 thousand"]


def test_what_was_heard_already_is_not_heard_again_and_a_draft_that_fails_ends_no_others() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        house.fails = True
        await ear.append(voice(20))
        async with asyncio.timeout(10):
            while not house.heard:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            house.fails = False
            await house.until(Overheard)
            await asyncio.sleep(0.7)  # more than from one draft to the next
        assert [event.text for event in house.events if isinstance(event, Overheard)] == ["10 thousand"]
        await ear.append(voice(1))
        async with asyncio.timeout(10):
            while len(house.events) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    house = run(test, None, drafts=True)
    assert len(house.heard) == len(house.events) + 1 == 3


def test_a_draft_that_hears_nothing_takes_nothing_back() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(voice(20))
        await house.until(Overheard)
        house.is_mute = True
        await ear.append(np.concatenate([voice(10), silence(6)]))  # a pause, which tells at once what it hears
        async with asyncio.timeout(10):
            while len(house.events) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    house = run(test, TurnRules(), drafts=True)
    assert [event.text for event in house.events if isinstance(event, Overheard)] == ["10 thousand", "10 thousand"]


def test_the_caller_ends_a_turn_where_there_are_no_rules() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        with pytest.raises(InvalidRequest):
            await ear.commit()
        await ear.append(silence(10))
        assert await ear.commit() == "a"
        over, _ = await house.until(Understood)
        assert isinstance(over, SpeechOver)
        assert not over.by_voice
        with pytest.raises(MediaTooLarge):
            await ear.append(np.zeros(4 * LIVE_RATE + 1, np.int16))

    assert run(test, None).voices == []


def test_a_turn_without_end_is_ended() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(voice(160))  # 5 s of at most 4
        over = (await house.until(Understood))[1]
        assert isinstance(over, SpeechOver)
        assert not over.by_voice
        await ear.append(np.concatenate([voice(10), silence(20)]))
        async with asyncio.timeout(10):
            while len(house.events) < 6:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    run(test, TurnRules())


def test_what_cannot_be_heard_is_told() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        house.fails = True
        await ear.append(np.concatenate([voice(10), silence(20)]))
        events = await house.until(Misheard)
        assert isinstance(events[-1], Misheard)
        assert str(events[-1].error) == "deaf"

    run(test, TurnRules(), drafts=True)


def test_a_detector_that_has_gone_is_replaced_and_the_turn_forgotten() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(voice(10))
        house.voices[0].is_dead = True
        with pytest.raises(WorkerDied):
            await ear.append(voice(10))
        await ear.append(np.concatenate([voice(10), silence(20)]))
        await house.until(Understood)
        assert len(house.voices) == 2

    house = run(test, TurnRules())
    assert all(one.is_closed for one in house.voices)


def test_a_detector_whose_module_was_replaced_is_let_go_between_turns() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(voice(10))
        house.voices[0].is_leaving = True
        await ear.append(np.concatenate([voice(10), silence(20)]))
        assert len(house.voices) == 1
        await ear.append(silence(10))
        assert (len(house.voices), house.voices[0].is_closed) == (2, True)
        await ear.append(np.concatenate([voice(10), silence(20)]))
        async with asyncio.timeout(10):
            while len(house.events) < 6:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    run(test, TurnRules())


def test_turns_that_come_faster_than_they_are_heard_are_bounded() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        house.gate.clear()
        for _ in range(9):
            await ear.append(np.concatenate([voice(10), silence(20)]))
        events = await house.until(Misheard)
        assert isinstance(events[-1], Misheard)
        assert isinstance(events[-1].error, Overloaded)
        house.gate.set()
        async with asyncio.timeout(10):
            while sum(isinstance(event, Understood) for event in house.events) < 8:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    run(test, TurnRules())


def test_a_long_turn_is_heard_once() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        for _ in range(3):
            await ear.append(np.concatenate([voice(400), silence(8)]))
            await asyncio.sleep(0)
        await ear.append(silence(20))
        await house.until(Understood)

    house = run(test, TurnRules(), max_s=60)
    assert [num // FRAME_SAMPLES // 100 for num, _ in house.heard] == [4, 8, 12]


def test_new_rules_begin_anew() -> None:
    async def test(house: House, ear: LiveEar) -> None:
        await ear.append(voice(10))
        ear.configure(None, has_drafts=False)
        with pytest.raises(InvalidRequest):
            await ear.commit()

    run(test, TurnRules())
