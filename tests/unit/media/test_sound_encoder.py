"""Encoded sounds are read again by our own decoder."""

import numpy as np
import pytest

from autoglm_phone.media.audio import SAMPLE_RATE, decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.media.sound_encoder import SoundEncoder, SoundFormat

RATE = 24_000
TONE = np.rint(10_000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype("<i2")


def encoded(form: SoundFormat, *, pieces: int = 7) -> bytes:
    encoder = SoundEncoder(form, RATE)
    return b"".join([encoder.push(piece.tobytes()) for piece in np.array_split(TONE, pieces)] + [encoder.finish()])


@pytest.mark.parametrize("form", ["wav", "mp3", "opus", "aac", "flac"])
def test_what_was_encoded_is_heard_again(form: SoundFormat) -> None:
    sound = decode_sound(encoded(form), MediaLimits(), param="x")
    assert sound.duration_s == pytest.approx(1, abs=0.1)
    middle = sound.samples[SAMPLE_RATE // 4 : SAMPLE_RATE * 3 // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert int(spectrum.argmax()) * SAMPLE_RATE / len(middle) == pytest.approx(440, abs=2)


def test_bare_samples_are_what_they_were() -> None:
    assert encoded("pcm") == TONE.tobytes()
    assert encoded("wav")[44:] == TONE.tobytes()


@pytest.mark.parametrize("form", ["mp3", "flac", "aac"])
def test_sound_comes_out_before_the_end(form: SoundFormat) -> None:
    encoder = SoundEncoder(form, RATE)
    assert encoder.push(TONE.tobytes()) + encoder.push(TONE.tobytes())
    encoder.finish()
