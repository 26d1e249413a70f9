"""Bare 16-bit samples: to other rates, piece by piece, and into WAV files. Mono, little-endian."""

import struct

import numpy as np
from numpy.typing import NDArray

_TAPS_A_PHASE = 24
# A sample weighs 200 bytes while it is filtered.
_BLOCK_SAMPLES = 1 << 15


def wav_bytes(samples: NDArray[np.int16], sample_rate: int) -> bytes:
    data = samples.astype("<i2").tobytes()
    return wav_header(sample_rate, len(data)) + data


def wav_header(sample_rate: int, num_bytes: int | None) -> bytes:
    """num_bytes: of the samples behind it; None: as many as come, which players of streams understand."""
    size = 0xFFFF_FFFF - 36 if num_bytes is None else num_bytes
    layout = struct.pack("<HHIIHH", 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", size + 36)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + layout
        + (b"data" + struct.pack("<I", size))
    )


class Resampler:
    """By the ratio up/down, with a windowed sinc in a polyphase filter: the same samples however the input is cut."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        divisor = int(np.gcd(from_rate, to_rate))
        self._up, self._down = to_rate // divisor, from_rate // divisor
        self._phases = _phases(self._up, self._down)
        self._history = np.zeros(_TAPS_A_PHASE - 1, np.float32)
        self._next = 0  # of the output, in steps of 1/up input samples behind the history's end

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """The output that this input completes; it lags half a filter, 12 input samples, behind."""
        if self._up == self._down or not len(samples):
            return samples
        blocks = range(0, len(samples), _BLOCK_SAMPLES)
        return np.concatenate([self._push(samples[start : start + _BLOCK_SAMPLES]) for start in blocks])

    def _push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        known = np.concatenate([self._history, samples.astype(np.float32)])
        steps = np.arange(self._next, len(samples) * self._up, self._down)
        self._next = (
            int(steps[-1]) + self._down - len(samples) * self._up
            if len(steps)
            else self._next - len(samples) * self._up
        )
        self._history = known[len(known) - (_TAPS_A_PHASE - 1) :]
        windows = np.lib.stride_tricks.sliding_window_view(known, _TAPS_A_PHASE)[steps // self._up]
        levels = np.einsum("nt,nt->n", windows, self._phases[steps % self._up])
        result: NDArray[np.int16] = np.clip(np.rint(levels), -32768, 32767).astype(np.int16)
        return result


def _phases(up: int, down: int) -> NDArray[np.float32]:
    """(up, taps): row p weighs the last taps input samples for an output that lies p/up behind the newest."""
    length = _TAPS_A_PHASE * up
    middle = length / 2
    at = np.arange(length) - middle
    cutoff = 1 / max(up, down)
    taps = np.sinc(at * cutoff) * np.blackman(length + 1)[:length]
    phases = taps.reshape(_TAPS_A_PHASE, up).T[:, ::-1]
    scaled: NDArray[np.float32] = (phases / phases.sum(axis=1, keepdims=True)).astype(np.float32)
    return scaled
