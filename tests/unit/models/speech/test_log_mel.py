"""Log-mel frames against transformers' feature extractor, which has them in PyTorch and in numpy."""

from typing import Any

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from autoglm_phone.models.speech.log_mel import CHUNK_SAMPLES, SAMPLE_RATE, log_mel, mel_bands, num_frames

Floats = np.ndarray[Any, np.dtype[np.float32]]


def sound(num_samples: int) -> Floats:
    """A tone that rises, and noise."""
    time = np.arange(num_samples) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(0, 0.02, num_samples)
    return (0.4 * np.sin(2 * np.pi * (200 + 90 * time) * time) + noise).astype(np.float32)


@pytest.mark.parametrize("num_mels", [80, 128])
@pytest.mark.parametrize("num_samples", [0, 1, 16_100, CHUNK_SAMPLES])
def test_frames_are_those_of_the_reference(num_mels: int, num_samples: int) -> None:
    extractor = WhisperFeatureExtractor(feature_size=num_mels)
    samples = sound(num_samples)
    padded = np.zeros(CHUNK_SAMPLES, np.float32)
    padded[:num_samples] = samples
    ours = log_mel(samples, num_mels)
    assert ours.dtype == np.float32
    # theirs in double precision, then in single precision, where quiet bands are noise of rounding
    assert np.abs(ours - extractor._np_extract_fbank_features(padded[None], "cpu")[0]).max() < 1e-6
    assert np.abs(ours - extractor(padded, sampling_rate=SAMPLE_RATE)["input_features"][0]).max() < 1e-3
    assert np.abs(mel_bands(num_mels) - extractor.mel_filters).max() < 1e-12


def test_frames_that_begin_within_the_sound_are_counted() -> None:
    assert [num_frames(n) for n in (0, 1, 160, 161, CHUNK_SAMPLES)] == [0, 1, 1, 2, 3000]
