import numpy as np
import pytest
from encoded import SOUND_FORMATS, damage, encode_sound, tone, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import MediaTooLarge, MediaUndecodable, RequestError
from autoglm_phone.media.audio import SAMPLE_RATE, decode_sound
from autoglm_phone.media.limits import MediaLimits

LIMITS = MediaLimits()
ENCODED = {kind: encode_sound(kind, seconds=0.2) for kind in SOUND_FORMATS}


def stereo(seconds: float, rate: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.repeat((tone(seconds=seconds, rate=rate) * 32767).astype(np.int16)[:, np.newaxis], 2, axis=1)


def loudest_hz(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * SAMPLE_RATE / len(samples)


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_every_format_gives_mono_samples_at_16_khz(kind: str) -> None:
    sound = decode_sound(encode_sound(kind), LIMITS, param="p")
    assert sound.sample_rate == SAMPLE_RATE
    assert sound.samples.dtype == np.float32
    assert sound.duration_s == pytest.approx(1.0, abs=0.06)  # coders pad to whole frames
    assert loudest_hz(sound.samples) == pytest.approx(440, abs=2)
    assert np.abs(sound.samples[2000:-2000]).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 3, 6, 9, 24])
def test_any_rate_and_channel_count(rate: int, channels: int) -> None:
    samples = np.repeat(stereo(0.5, rate)[:, :1], channels, axis=1)
    sound = decode_sound(wav(samples, rate), LIMITS, param="p")
    assert sound.duration_s == pytest.approx(0.5, abs=0.005)
    assert np.abs(sound.samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.02)


def test_a_wav_written_to_a_pipe_is_read_to_its_end() -> None:
    data = bytearray(wav(stereo(0.5, 16_000), 16_000))
    size_at = data.index(b"data") + 4
    for declared in (0, 0xFFFFFFFF):
        data[size_at : size_at + 4] = declared.to_bytes(4, "little")
        assert decode_sound(bytes(data), LIMITS, param="p").duration_s == pytest.approx(0.5)


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_a_sound_over_the_length_limit_is_refused(kind: str) -> None:
    with pytest.raises(MediaTooLarge, match=r"part 2: .*limit of 2 s.*max_sound_s") as error:
        decode_sound(encode_sound(kind, seconds=2.5), MediaLimits(max_sound_s=2), param="part 2")
    assert error.value.param == "part 2"


def test_a_file_that_declares_less_than_it_holds_is_refused_all_the_same() -> None:
    # STREAMINFO's count of samples, the lower 32 bits of its 36: "one second" over three seconds of sound
    data = bytearray(encode_sound("flac", seconds=3, rate=16_000))
    data[22:26] = (16_000).to_bytes(4, "big")
    with pytest.raises(MediaTooLarge):
        decode_sound(bytes(data), MediaLimits(max_sound_s=2), param="p")


def test_a_file_that_declares_more_than_it_holds_is_read() -> None:
    data = bytearray(encode_sound("flac", seconds=1, rate=16_000))
    data[22:26] = (16_000 * 3600).to_bytes(4, "big")
    assert decode_sound(bytes(data), LIMITS, param="p").duration_s == pytest.approx(1)


def test_a_tiny_rate_is_not_blown_up_to_hours() -> None:
    for rate in (1, 100, 0, 2**32 - 1):
        with pytest.raises(RequestError):
            decode_sound(wav(stereo(0.5, 16_000), rate), LIMITS, param="p")


def test_a_chunk_that_declares_gigabytes_is_not_believed() -> None:
    data = wav(stereo(0.1, 16_000), 16_000)
    lie = b"LIST" + (0x7F00001A).to_bytes(4, "little") + b"INFOISFT" + (0x7E000000).to_bytes(4, "little")
    with pytest.raises(MediaUndecodable):
        decode_sound(data[:12] + lie + data[12:], LIMITS, param="p")


def test_samples_that_are_no_numbers_become_silence() -> None:
    data = bytearray(encode_sound("wav-float"))
    start = data.index(b"data") + 8
    data[start : start + 4000] = b"\xff\xff\xff\x7f" * 1000
    samples = decode_sound(bytes(data), LIMITS, param="p").samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1


def test_a_broken_tag_does_not_spoil_the_sound() -> None:
    data = encode_sound("mp3")
    assert data[:3] == b"ID3"
    damaged = data.replace(b"Lavf", b"\xff\xfe\xfd\xfc", 1)
    assert decode_sound(damaged, LIMITS, param="p").duration_s > 0.9


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"RIFF\x04\x00\x00\x00AVI ",
        b"RIFF\x04\x00\x00\x00WAVE",
        b"\x1a\x45\xdf\xa3",
        b"ID3",
        wav(np.zeros((0, 1), np.int16), 16_000),
    ],
)
def test_what_holds_no_sound_is_undecodable(data: bytes) -> None:
    with pytest.raises(MediaUndecodable, match=r"^part 4: ") as error:
        decode_sound(data, LIMITS, param="part 4")
    assert error.value.param == "part 4"


def test_the_byte_limit_names_the_way_out() -> None:
    with pytest.raises(MediaTooLarge, match=r"p: the sound has 11 bytes, the limit is 10; .*max_sound_bytes"):
        decode_sound(b"x" * 11, MediaLimits(max_sound_bytes=10), param="p")


@given(
    kind=st.sampled_from(sorted(SOUND_FORMATS)),
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12),
    keep=st.sampled_from([1.0, 1.0, 0.7, 0.1]),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_damaged_bytes_give_a_sound_or_a_refusal(kind: str, edits: list[tuple[int, int]], keep: float) -> None:
    try:
        sound = decode_sound(damage(ENCODED[kind], edits, keep), MediaLimits(max_sound_s=5), param="p")
    except RequestError:
        return
    assert 0 < sound.duration_s <= 5.1
    assert np.isfinite(sound.samples).all()


@given(
    data=st.binary(max_size=200),
    head=st.sampled_from([b"", b"fLaC", b"OggS", b"ID3", b"\x1a\x45\xdf\xa3", b"\xff\xfb"]),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_give_a_refusal_or_a_sound(data: bytes, head: bytes) -> None:
    try:
        sound = decode_sound(head + data, LIMITS, param="p")
    except RequestError:
        return
    assert sound.samples.ndim == 1
