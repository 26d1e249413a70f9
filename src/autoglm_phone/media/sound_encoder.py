"""Samples to an encoded sound, piece by piece: what comes out can be sent at once. Nothing is kept."""

import io
from typing import Any, Literal

import numpy as np

from autoglm_phone.media.pcm import wav_header

SoundFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

MEDIA_TYPES: dict[SoundFormat, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}

# Container and encoder of each, and what keeps the container from going back to its beginning in the end.
_ENCODERS: dict[SoundFormat, tuple[str, str, dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", {"write_xing": "0"}),
    "opus": ("ogg", "libopus", {}),
    "aac": ("adts", "aac", {}),
    "flac": ("flac", "flac", {}),
}
_BIT_RATES = {"mp3": 64_000, "opus": 32_000, "aac": 64_000}


class _Sink:
    """A file that cannot be sought in."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()

    def write(self, data: bytes) -> int:
        return self._buffer.write(data)

    def take(self) -> bytes:
        data = self._buffer.getvalue()
        self._buffer = io.BytesIO()
        return data


class SoundEncoder:
    """Pieces are 16-bit little-endian mono samples. `finish` must be the last call."""

    def __init__(self, form: SoundFormat, sample_rate: int) -> None:
        self._form, self._rate = form, sample_rate
        self._num_bytes = 0
        self._sink = _Sink()
        if form not in ("wav", "pcm"):
            # Here, not at the top: a server that does not speak need not load FFmpeg into its API process.
            import av

            self._new_frame = av.AudioFrame.from_ndarray
            container, codec, options = _ENCODERS[form]
            self._file = av.open(self._sink, "w", format=container, options=options)
            stream: Any = self._file.add_stream(codec, rate=sample_rate, layout="mono")
            if form in _BIT_RATES:
                stream.bit_rate = _BIT_RATES[form]
            self._stream = stream

    def push(self, samples: bytes) -> bytes:
        header = wav_header(self._rate, None) if self._form == "wav" and self._num_bytes == 0 else b""
        self._num_bytes += len(samples)
        if self._form in ("wav", "pcm"):
            return header + samples
        levels = np.frombuffer(samples, "<i2").astype(np.int16)[np.newaxis]
        frame = self._new_frame(levels, format="s16", layout="mono")
        frame.sample_rate = self._rate
        self._file.mux(self._stream.encode(frame))
        return self._sink.take()

    def finish(self) -> bytes:
        if self._form in ("wav", "pcm"):
            return b""
        self._file.mux(self._stream.encode(None))
        self._file.close()
        return self._sink.take()
