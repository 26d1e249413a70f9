"""Sounds for Chromium's fake microphone, and a page that takes them as they are."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.media.pcm import wav_bytes

RATE = 48_000

# Without the browser's own gain, which would turn a tone into noise. `tracks` are all that were ever given out.
AS_IT_IS = """
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
window.tracks = [];
navigator.mediaDevices.getUserMedia = async ({ audio }) => {
  const stream = await open({ audio: { ...audio, ...raw } });
  tracks.push(...stream.getTracks());
  return stream;
};
"""
IS_OFF = "() => tracks.length > 0 && tracks.every((track) => track.readyState === 'ended')"


def tone(seconds: float, level: int) -> NDArray[np.int16]:
    """A square wave: always equally loud, and no constant, which a sound card takes away."""
    wave = np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE + 0.01)
    return (np.sign(wave) * level).astype(np.int16)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), np.int16)


def write_sound(folder: Path, *pieces: NDArray[np.int16], rate: int = RATE) -> Path:
    file = folder / "microphone.wav"
    file.write_bytes(wav_bytes(np.concatenate(pieces), rate))
    return file
