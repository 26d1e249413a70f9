"""The samples as clients send them, and what is asked about them."""

import base64
import io
import wave
from pathlib import Path

import av
import numpy as np

SAMPLES = Path(__file__).parents[1] / "samples"
PICTURE = SAMPLES / "settings_screen.png"
SOUND = SAMPLES / "open_settings.flac"

ABOUT_PICTURE = "Which words are on this screen?"
ABOUT_SOUND = "Repeat what was said."
# One whose answer no other comes near: asked to "name three fruits", the small decoder may as well introduce itself.
QUESTION = "What is the capital of France?"

BAD_PICTURE = b"not a picture"


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{in_base64(data)}"


def sound_as_wav() -> bytes:
    """For clients that take nothing but wav and mp3."""
    with av.open(SOUND) as flac:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in flac.decode(audio=0)])
        rate = flac.streams.audio[0].rate
    assert samples.dtype == np.int16
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()
