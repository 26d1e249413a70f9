"""Bytes of a sound -> mono samples at 16 kHz. Whatever the bytes are, the answer is a Waveform or a RequestError."""

import io
from collections.abc import Iterator

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable, RequestError
from autoglm_phone.core.media import Waveform
from autoglm_phone.media.limits import MediaLimits

SAMPLE_RATE = 16_000
_ACCEPTED = "WAV, MP3, FLAC, OGG/Opus, WebM, M4A or AAC"

# The demuxer is chosen here and named to FFmpeg, which so never probes: playlists, concatenations and the other
# four hundred formats it knows cannot be reached, whatever the bytes say.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (0, b"ID3", "mp3"),
)
# Of MPEG audio; and of ADTS, whose frames are AAC: there, too, but with the layer that MPEG audio has none of.
_MPEG_SYNC, _ADTS_SYNC, _ADTS_MASK = 0xFFE0, 0xFFF0, 0xFFF6

_CODECS = (
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_s64le", "pcm_f32le", "pcm_f64le"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be", "pcm_alaw", "pcm_mulaw"),
    *("mp3float", "mp3", "flac", "vorbis", "libvorbis", "opus", "libopus", "aac", "alac"),
)
_OPTIONS = {
    # the streams that FFmpeg looks into while it opens the file, pictures among them, are bound by it too
    "codec_whitelist": ",".join(_CODECS),
    # nothing but the buffer: no file, no socket; and QuickTime's references to other files stay closed
    "protocol_whitelist": "none",
    "enable_drefs": "0",
}

# Outside of this no recording is meant, and a rate of 1 Hz would blow a few bytes up to hours of samples.
_MIN_RATE, _MAX_RATE = 1_000, 768_000


def decode_sound(data: bytes, limits: MediaLimits, *, param: str) -> Waveform:
    """The first audio stream, channels averaged, at SAMPLE_RATE.

    Decoding stops as soon as max_sound_s is passed: the length that a file declares is not asked.
    Raises MediaTooLarge over a limit, MediaUndecodable for anything that holds no sound.
    """
    if len(data) > limits.max_sound_bytes:
        raise MediaTooLarge(
            f"{param}: the sound has {len(data)} bytes, the limit is {limits.max_sound_bytes}; "
            "send a shorter or compressed one, or raise the server's max_sound_bytes",
            param=param,
        )
    container = _container_of(data)
    if container is None:
        raise MediaUndecodable(
            f"{param}: these {len(data)} bytes are no sound this server reads; send {_ACCEPTED}", param=param
        )
    try:
        chunks = list(_decode(data, container, limits.max_sound_s, param))
    except RequestError:
        raise
    # Here hostile bytes meet the decoders, and what comes out of PyAV for them is no closed set: besides its own
    # errors, fuzzing brought out errors of value, type and memory.
    except Exception as error:
        raise MediaUndecodable(
            f"{param}: the sound is damaged or of a kind this server does not read ({container}, {len(data)} bytes: "
            f"{getattr(error, 'strerror', error)}); send {_ACCEPTED}",
            param=param,
        ) from error
    samples = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
    if not len(samples):
        raise MediaUndecodable(
            f"{param}: the file ({container}, {len(data)} bytes) holds no audio; send {_ACCEPTED}", param=param
        )
    return Waveform(np.clip(np.nan_to_num(samples), -1.0, 1.0), SAMPLE_RATE)


def _container_of(data: bytes) -> str | None:
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return name
    sync = int.from_bytes(data[:2], "big")
    if sync & _ADTS_MASK == _ADTS_SYNC:
        return "aac"
    return "mp3" if sync & _MPEG_SYNC == _MPEG_SYNC else None


def _bare_wav(data: bytes) -> bytes:
    """Format and samples alone: FFmpeg allocates what the other chunks declare, up to 4 GB for a file of 100 bytes."""
    start = 12
    layout = b""
    while start + 8 <= len(data):
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        body = data[start + 8 : start + 8 + size]
        if name == b"fmt ":
            layout = b"fmt " + len(body).to_bytes(4, "little") + body
        elif name == b"data":
            # a WAV written to a pipe declares 0 samples, or more than there are
            body = body or data[start + 8 :]
            chunks = b"WAVE" + layout + b"data" + len(body).to_bytes(4, "little") + body
            return b"RIFF" + len(chunks).to_bytes(4, "little") + chunks
        start += 8 + size + size % 2
    raise ValueError("no samples in the WAV file")


def _decode(data: bytes, container: str, max_s: float, param: str) -> Iterator[NDArray[np.float32]]:
    duration_s = 0.0
    resampler: tuple[int, av.AudioResampler] | None = None
    source = io.BytesIO(_bare_wav(data) if container == "wav" else data)
    with av.open(
        source, "r", format=container, options=_OPTIONS, io_open=_refuse_other_files, metadata_errors="ignore"
    ) as file:
        streams = file.streams.audio
        # a stream of a codec that FFmpeg does not know has no context, whatever the annotation says
        stream = next((one for one in streams if one.codec_context and one.codec_context.name in _CODECS), None)
        if stream is None:
            return
        for frame in _frames(file, stream):
            if not _MIN_RATE <= frame.sample_rate <= _MAX_RATE:
                raise ValueError(f"{frame.sample_rate} Hz is outside of {_MIN_RATE}-{_MAX_RATE} Hz")
            duration_s += frame.samples / frame.sample_rate
            # before resampling: a low rate makes few samples many
            if duration_s > max_s:
                raise MediaTooLarge(
                    f"{param}: the sound is longer than the limit of {max_s:g} s; "
                    "send it in parts or raise the server's max_sound_s",
                    param=param,
                )
            if resampler is None or resampler[0] != frame.sample_rate:
                if resampler is not None:
                    yield from _resample(resampler[1], None)
                resampler = (frame.sample_rate, av.AudioResampler("flt", "mono", SAMPLE_RATE))
            yield from _resample(resampler[1], _to_mono(frame))
        if resampler is not None:
            yield from _resample(resampler[1], None)


def _frames(file: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Leaves out the packets that cannot be decoded, as players do: real MP3s often begin or end with a broken one."""
    for packet in file.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue


def _refuse_other_files(url: str, flags: int, options: object) -> object:
    raise PermissionError("a sound must not refer to other files")


def _to_mono(frame: av.AudioFrame) -> av.AudioFrame:
    """By hand: FFmpeg mixes only the layouts that it has a name for, and a WAV may have any number of channels."""
    levels = frame.to_ndarray()
    num_channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        levels = levels.reshape(-1, num_channels).T  # (channels, samples)
    with np.errstate(all="ignore"):  # a float file may hold any bits; what is no number becomes silence at the end
        mono = levels.mean(axis=0, dtype=np.float64)
    if levels.dtype == np.uint8:
        mono = (mono - 128) / 128
    elif levels.dtype.kind == "i":
        mono /= 2.0 ** (8 * levels.dtype.itemsize - 1)
    result = av.AudioFrame.from_ndarray(mono.astype(np.float32)[np.newaxis], format="flt", layout="mono")
    result.sample_rate = frame.sample_rate
    return result


def _resample(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> Iterator[NDArray[np.float32]]:
    """None flushes what the filter still holds."""
    for piece in resampler.resample(frame):
        yield piece.to_ndarray()[0].astype(np.float32, copy=False)
