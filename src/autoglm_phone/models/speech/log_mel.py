"""Sound as Whisper hears it: the logarithm of the energy in bands of pitch, a hundred times a second. numpy only.

Source: github.com/openai/whisper, whisper/audio.py; the bands are those of Slaney's Auditory Toolbox (1998).
"""

from functools import cache
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]

SAMPLE_RATE = 16000  # Hz
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FRAMES_PER_S = SAMPLE_RATE // HOP_SAMPLES
CHUNK_S = 30
CHUNK_SAMPLES = CHUNK_S * SAMPLE_RATE
SMALLEST_ENERGY = 1e-10
RANGE = 8.0  # powers of ten below the loudest band of the chunk
LINEAR_END_HZ = 1000.0  # where pitch begins to grow with the logarithm
LINEAR_MELS_PER_HZ = 3 / 200
MELS_PER_LOG = 27 / np.log(6.4)


def num_frames(num_samples: int) -> int:
    """Frames that begin within the sound."""
    return -(-num_samples // HOP_SAMPLES)


def log_mel(samples: Floats, num_mels: int) -> Floats:
    """samples (num_samples,) at 16 kHz, at most 30 s -> (num_mels, 3000): silence is put behind what is shorter."""
    assert len(samples) <= CHUNK_SAMPLES
    chunk = np.zeros(CHUNK_SAMPLES)
    chunk[: len(samples)] = samples
    padded = np.pad(chunk, WINDOW_SAMPLES // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[:-1:HOP_SAMPLES]  # (frames, 400)
    spectrum = np.fft.rfft(windows * _hann())
    energy = spectrum.real**2 + spectrum.imag**2  # (frames, 201)
    logs = np.log10(np.maximum(energy @ mel_bands(num_mels), SMALLEST_ENERGY))
    scaled = (np.maximum(logs, logs.max() - RANGE) + 4.0) / 4.0
    return np.ascontiguousarray(scaled.T, np.float32)


@cache
def mel_bands(num_mels: int) -> Doubles:
    """(201, num_mels): how much each frequency of the spectrum counts in each band, a triangle of the same area."""
    top = _to_mel(np.array(SAMPLE_RATE / 2))
    edges = _to_hz(np.linspace(0.0, float(top), num_mels + 2))
    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, WINDOW_SAMPLES // 2 + 1)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    bands: Doubles = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    bands.flags.writeable = False
    return bands


def _to_mel(hz: Doubles) -> Doubles:
    above = LINEAR_END_HZ * LINEAR_MELS_PER_HZ + MELS_PER_LOG * np.log(np.maximum(hz, LINEAR_END_HZ) / LINEAR_END_HZ)
    return np.where(hz < LINEAR_END_HZ, hz * LINEAR_MELS_PER_HZ, above)


def _to_hz(mel: Doubles) -> Doubles:
    end = LINEAR_END_HZ * LINEAR_MELS_PER_HZ
    return np.where(mel < end, mel / LINEAR_MELS_PER_HZ, LINEAR_END_HZ * np.exp((mel - end) / MELS_PER_LOG))


def _hann() -> Doubles:
    """Periodic: the first sample of the next window would be its end."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)
