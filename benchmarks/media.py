"""Screenshots and spoken commands as parts of messages. Another number gives bytes that no cache has seen."""

import base64
import io
import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Part = dict[str, Any]
COMMAND_S = (2.0, 4.0)
LOUD = 0.1  # of the loudest 20 ms: there somebody speaks


def picture_part(media: Path, number: int, *, compression: int = 6) -> Part:
    """The number-th screenshot as PNG. The same pixels whatever the compression (0 to 9), other bytes."""
    paths = sorted(media.glob("screens/*.[pj][np]g"))
    picture = Image.open(paths[number % len(paths)]).convert("RGB")
    lap = number // len(paths) % 256
    picture.putpixel((0, 0), (lap, lap, lap))  # later laps show a picture that was not read yet
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=compression)
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64," + in_base64(file.getvalue())}}


def sound_part(media: Path, number: int) -> Part:
    """The number-th command of 2 to 4 s, cut to its speech; later laps leave more silence before it."""
    commands = _commands(media)
    samples, rate, start, end = commands[number % len(commands)]
    start = max(0, start - number // len(commands) * rate // 50)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples[start:end].tobytes())
    return {"type": "input_audio", "input_audio": {"data": in_base64(file.getvalue()), "format": "wav"}}


@cache
def _commands(media: Path) -> list[tuple[np.ndarray[Any, np.dtype[np.int16]], int, int, int]]:
    """Samples, rate, and where speech begins and ends, a fifth of a second of silence left on both sides."""
    found = []
    for path in sorted(media.glob("audio/barista_dev/*.wav")):
        with wave.open(str(path)) as sound:
            rate = sound.getframerate()
            samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        window = rate // 50
        loudness = np.abs(samples[: len(samples) // window * window].astype(np.float32)).reshape(-1, window).mean(1)
        (loud,) = np.nonzero(loudness > LOUD * loudness.max())
        start, end = max(0, (loud[0] - 10) * window), min(len(samples), (loud[-1] + 11) * window)
        if COMMAND_S[0] <= (end - start) / rate <= COMMAND_S[1]:
            found.append((samples, rate, int(start), int(end)))
    return found


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
