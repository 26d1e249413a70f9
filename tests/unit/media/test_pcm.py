"""Bare samples: resampled in pieces, and in WAV files that our own decoder reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.media.pcm import Resampler, wav_bytes, wav_header

RATES = [(24_000, 16_000), (16_000, 24_000), (16_000, 16_000)]


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
@given(cuts=st.lists(st.integers(0, 50), max_size=12))
def test_however_it_is_cut_the_output_is_the_same(from_rate: int, to_rate: int, cuts: list[int]) -> None:
    samples = np.random.default_rng(0).integers(-20_000, 20_000, 300).astype(np.int16)
    whole = Resampler(from_rate, to_rate).push(samples)
    pieces, start = [], 0
    resampler = Resampler(from_rate, to_rate)
    for length in [*cuts, len(samples)]:
        pieces.append(resampler.push(samples[start : start + length]))
        start += length
    assert np.concatenate(pieces).tolist() == whole.tolist()


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_a_tone_stays_a_tone(from_rate: int, to_rate: int) -> None:
    tone = np.rint(10_000 * np.sin(2 * np.pi * 440 * np.arange(from_rate) / from_rate)).astype(np.int16)
    result = Resampler(from_rate, to_rate).push(tone)
    assert len(result) == to_rate
    spectrum = np.abs(np.fft.rfft(result * np.hanning(to_rate)))
    assert int(spectrum.argmax()) == 440
    assert spectrum[500:].max() < spectrum.max() / 1000


def test_what_the_lower_rate_cannot_hold_is_left_out() -> None:
    tone = np.rint(10_000 * np.sin(2 * np.pi * 10_500 * np.arange(24_000) / 24_000)).astype(np.int16)
    assert np.abs(Resampler(24_000, 16_000).push(tone)[100:]).max() < 200


def test_a_wav_file_is_read_as_it_was_written() -> None:
    samples = np.arange(-1000, 1000, dtype=np.int16)
    sound = decode_sound(wav_bytes(samples, 16_000), MediaLimits(), param="x")
    assert np.array_equal(np.rint(sound.samples * 32768).astype(np.int16), samples)


def test_a_wav_stream_needs_no_length() -> None:
    data = wav_header(16_000, None) + np.ones(1600, "<i2").tobytes()
    assert decode_sound(data, MediaLimits(), param="x").duration_s == pytest.approx(0.1)
