import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.models.speech.windows import MAX_SPEECH_S, SAMPLE_RATE, Part, SpeechWindow, speech_windows

SAMPLE = Path(__file__).parents[3] / "samples" / "open_settings.flac"


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return decode_sound(SAMPLE.read_bytes(), MediaLimits(), param="sample").samples


def test_silence_is_left_out_and_its_place_is_known(speech: NDArray[np.float32]) -> None:
    sound = np.concatenate([silence(5), speech, silence(10), speech, silence(5)])
    (window,) = speech_windows(sound)
    assert len(window.samples) < 2.5 * len(speech)
    assert len(window.parts) == 2
    speech_s = len(speech) / SAMPLE_RATE
    assert window.start_s == pytest.approx(5, abs=1)
    assert window.parts[1].start / SAMPLE_RATE == pytest.approx(15 + speech_s, abs=1)
    assert window.end_s == pytest.approx(15 + 2 * speech_s, abs=1)


def test_long_speech_is_windows_one_behind_the_other(speech: NDArray[np.float32]) -> None:
    sound = np.tile(speech, 40)  # two and a half minutes: three pieces of the voice detector
    windows = list(speech_windows(sound))
    assert len(windows) > 3
    for window in windows:
        assert len(window.samples) <= MAX_SPEECH_S * SAMPLE_RATE
        pieces = [sound[part.start : part.end] for part in window.parts]
        assert np.array_equal(np.concatenate(pieces), window.samples)
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(windows))
    assert windows[-1].end_s <= len(sound) / SAMPLE_RATE


def test_silence_has_no_windows() -> None:
    assert list(speech_windows(silence(1))) == []
    assert list(speech_windows(silence(70))) == []


def window(*parts: tuple[float, float]) -> SpeechWindow:
    """From the seconds of its parts in the sound."""
    placed: list[Part] = []
    offset = 0
    for start_s, end_s in parts:
        part = Part(round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE), offset)
        placed.append(part)
        offset += part.end - part.start
    return SpeechWindow(np.zeros(offset, np.float32), tuple(placed))


def test_a_word_is_where_its_part_was() -> None:
    two = window((2, 5), (10, 12))
    assert two.times_in_sound(0.5, 1.0) == (2.5, 3.0)
    assert two.times_in_sound(4.0, 4.5) == (11.0, 11.5)


def test_a_word_over_a_cut_belongs_to_the_part_that_it_ends_in() -> None:
    assert window((2, 5), (10, 12)).times_in_sound(2.0, 3.5) == (10.0, 10.5)
    assert window((2, 5), (10, 12)).times_in_sound(2.0, 3.0) == (4.0, 5.0)


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=8), st.lists(st.floats(0, 30), min_size=2, max_size=2))
def test_every_time_is_within_the_window_and_in_order(lengths: list[float], times: list[float]) -> None:
    borders = list(itertools.accumulate(lengths))
    one = window(*zip(borders[::2], borders[1::2], strict=False))
    start_s, end_s = one.times_in_sound(*sorted(times))
    assert one.start_s <= start_s <= end_s <= one.end_s
