"""Encoded pictures and sounds, made as the tests need them."""

import io

import av
import numpy as np
from PIL import ExifTags, Image

SOUND_FORMATS = {
    "wav": ("wav", "pcm_s16le"),
    "wav-float": ("wav", "pcm_f32le"),
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "opus": ("ogg", "libopus"),
    "webm": ("webm", "libopus"),
    "m4a": ("ipod", "aac"),
    "aac": ("adts", "aac"),
}
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def tone(*, seconds: float, rate: int, frequency: float = 440.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    time_s = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * time_s)).astype(np.float32)


def encode_sound(kind: str, *, seconds: float = 1.0, rate: int = 48_000) -> bytes:
    """A stereo tone of amplitude 0.5."""
    container, codec = SOUND_FORMATS[kind]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        samples = np.repeat(tone(seconds=seconds, rate=rate)[np.newaxis], 2, axis=0)
        whole = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        whole.sample_rate = rate
        context = stream.codec_context
        cutter = av.AudioResampler(context.format, context.layout, rate, frame_size=context.frame_size or 1024)
        for frame in [*cutter.resample(whole), *cutter.resample(None)]:
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def wav(samples: np.ndarray[tuple[int, int], np.dtype[np.int16]], rate: int) -> bytes:
    """samples (num_samples, channels)"""
    channels = samples.shape[1]
    layout = (1).to_bytes(2, "little") + channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    layout += (rate * channels * 2 & 0xFFFFFFFF).to_bytes(4, "little") + (channels * 2).to_bytes(2, "little")
    layout += (16).to_bytes(2, "little")
    body = samples.astype("<i2").tobytes()
    chunks = b"WAVEfmt " + len(layout).to_bytes(4, "little") + layout
    chunks += b"data" + len(body).to_bytes(4, "little") + body
    return b"RIFF" + len(chunks).to_bytes(4, "little") + chunks


def quarters() -> Image.Image:
    """60x40 pixels: red, green, blue and grey quarters, clockwise from the top left."""
    picture = Image.new("RGB", (60, 40), "gray")
    picture.paste("red", (0, 0, 30, 20))
    picture.paste("lime", (30, 0, 60, 20))
    picture.paste("blue", (30, 20, 60, 40))
    return picture


def encode_picture(picture: Image.Image, kind: str, *, orientation: int | None = None) -> bytes:
    buffer = io.BytesIO()
    if orientation is None:
        picture.save(buffer, kind)
    else:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        picture.save(buffer, kind, exif=exif, quality=95)
    return buffer.getvalue()


def damage(data: bytes, edits: list[tuple[int, int]], keep: float) -> bytes:
    """Overwrite bytes and cut the end off; the places wrap around."""
    damaged = bytearray(data[: max(1, round(len(data) * keep))])
    for place, value in edits:
        damaged[place % len(damaged)] = value
    return bytes(damaged)
