"""Sounds as transcripts, with the official client against the real server, and their times against another's."""

import difflib
import io
import re
import threading
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from faster_whisper import WhisperModel  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from running_server import RunningServer

from autoglm_phone.core.media import Waveform
from autoglm_phone.core.transcript import Heard, HearingOptions, Word
from autoglm_phone.media.audio import SAMPLE_RATE, decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.models.speech.transcriber import Transcriber

pytestmark = pytest.mark.real
SAMPLE = Path(__file__).parents[1] / "samples" / "open_settings.flac"
JFK = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key="EMPTY", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def chinese(extra_data: Path) -> bytes:
    return (extra_data / "audio" / "chinese.flac").read_bytes()


def plain(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))


def as_wav(samples: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def samples_of(data: bytes) -> NDArray[np.float32]:
    return decode_sound(data, MediaLimits(), param="sound").samples


def test_every_format_says_the_same(client: openai.OpenAI, jfk: bytes) -> None:
    create = client.audio.transcriptions.create
    whole = create(model="whisper-1", file=("jfk.flac", jfk))
    assert plain(whole.text) == JFK
    assert whole.usage is not None
    assert whole.usage.to_dict() == {"type": "duration", "seconds": 11}
    text = create(model="whisper-1", file=("jfk.flac", jfk), response_format="text")
    assert text == f"{whole.text}\n"
    verbose = create(model="whisper-1", file=("jfk.flac", jfk), response_format="verbose_json")
    assert (verbose.text, verbose.language, verbose.duration) == (whole.text, "english", 11.0)
    assert verbose.segments is not None
    assert verbose.words is None
    assert "".join(segment.text for segment in verbose.segments).strip() == whole.text
    srt = create(model="whisper-1", file=("jfk.flac", jfk), response_format="srt")
    vtt = create(model="whisper-1", file=("jfk.flac", jfk), response_format="vtt")
    for subtitles in (srt, vtt):
        lines = [line for line in subtitles.splitlines() if line and "-->" not in line and not line.isdigit()]
        assert plain(" ".join(lines).removeprefix("WEBVTT")) == JFK
        assert subtitles.count("-->") == len(verbose.segments)


def test_the_sample_of_the_repository(client: openai.OpenAI) -> None:
    with SAMPLE.open("rb") as file:
        verbose = client.audio.transcriptions.create(
            model="autoglm-phone-nano",
            file=file,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
            language="en",
            temperature=0,
            prompt="Settings",
        )
    assert {"open", "settings", "alarm"} <= set(plain(verbose.text).split())
    assert verbose.words
    assert plain(" ".join(word.word for word in verbose.words)) == plain(verbose.text)
    assert verbose.segments
    for segment in verbose.segments:
        assert 0 <= segment.start < segment.end <= verbose.duration
        assert -1 < segment.avg_logprob < 0
        assert 0 <= segment.no_speech_prob < 0.6


def check_order(words: list[tuple[float, float]], duration_s: float) -> None:
    times = [time for word in words for time in word]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= duration_s


def test_words_have_their_times(client: openai.OpenAI, jfk: bytes) -> None:
    verbose = client.audio.transcriptions.create(
        model="whisper-1", file=("jfk.flac", jfk), response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert verbose.words is not None
    check_order([(word.start, word.end) for word in verbose.words], verbose.duration)
    assert [plain(word.word) for word in verbose.words] == JFK.split()
    starts = {plain(word.word): word.start for word in verbose.words}  # the last of each
    # by ear: "ask what you can do" begins behind the middle, "country" ends the recording
    assert 7.5 < starts["ask"] < 8.5
    assert 9.5 < starts["country"] < 10.6


def test_chinese_is_simplified_in_segments_and_words(client: openai.OpenAI, chinese: bytes) -> None:
    verbose = client.audio.transcriptions.create(
        model="whisper-1",
        file=("chinese.flac", chinese),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.language == "chinese"
    assert "自己的脚" in verbose.text
    assert verbose.words
    assert "".join(word.word for word in verbose.words) == verbose.text
    check_order([(word.start, word.end) for word in verbose.words], verbose.duration)


def test_a_translation_is_written_in_english(client: openai.OpenAI, chinese: bytes) -> None:
    translation = client.audio.translations.create(model="whisper-1", file=("chinese.flac", chinese))
    assert re.fullmatch(r"[\x20-\x7e]+", translation.text)
    assert "foot" in translation.text.lower() or "feet" in translation.text.lower()
    verbose = client.audio.translations.create(
        model="whisper-1", file=("chinese.flac", chinese), response_format="verbose_json"
    )
    assert (verbose.language, verbose.text) == ("english", translation.text)
    assert verbose.segments


def test_a_stream_equals_the_whole(client: openai.OpenAI, jfk: bytes) -> None:
    # 55 s: three windows of the model
    talk = as_wav(np.tile(samples_of(jfk), 5))
    whole = client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", talk), language="en")
    # other options, so that nothing comes from the cache
    stream = client.audio.transcriptions.create(
        model="whisper-1", file=("talk.wav", talk), language="en", prompt=" ", stream=True
    )
    events = list(stream)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) >= 2
    done = events[-1]
    assert done.type == "transcript.text.done"
    assert "".join(deltas) == done.text == whole.text
    assert done.usage is not None
    assert done.usage.input_tokens == 55 * 50
    assert done.usage.output_tokens > 50


def test_silence_is_an_empty_transcript(client: openai.OpenAI) -> None:
    silence = ("silence.wav", as_wav(np.zeros(SAMPLE_RATE, np.float32)))
    create = client.audio.transcriptions.create
    assert create(model="whisper-1", file=silence).text == ""
    assert create(model="whisper-1", file=silence, response_format="srt") == ""
    assert create(model="whisper-1", file=silence, response_format="vtt") == "WEBVTT\n\n"


def test_bad_files_are_refused(client: openai.OpenAI) -> None:
    create = client.audio.transcriptions.create
    for data in (b"", b"no sound at all", b"fLaC" + bytes(100)):
        with pytest.raises(openai.BadRequestError) as refused:
            create(model="whisper-1", file=("a.flac", data))
        assert (refused.value.code, refused.value.param) == ("media_undecodable", "file")
    long = as_wav(np.zeros(301 * SAMPLE_RATE, np.float32))
    with pytest.raises(openai.APIStatusError) as too_long:
        create(model="whisper-1", file=("long.wav", long))
    assert (too_long.value.status_code, too_long.value.code) == (413, "media_too_large")
    with pytest.raises(openai.BadRequestError, match="language 'yue'") as unknown:  # of larger models alone
        create(model="whisper-1", file=("a.wav", as_wav(np.zeros(1600, np.float32))), language="yue")
    assert unknown.value.param == "language"
    with pytest.raises(openai.NotFoundError):
        create(model="gpt-4o-transcribe", file=("a.wav", b"RIFF"))


def counted(server: RunningServer, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics", trust_env=False).text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def test_hanging_up_ends_the_work(server: RunningServer, jfk: bytes) -> None:
    left = 'autoglm_transcriptions_total{outcome="left",task="transcribe"}'
    before = counted(server, left)
    talk = as_wav(np.tile(samples_of(jfk), 27))  # 297 s: half a minute of work
    form = {"response_format": "text", "stream": "true", "prompt": "hang up"}
    with (
        httpx.Client(trust_env=False, timeout=60) as http,
        http.stream("POST", f"{server.api}/audio/transcriptions", data=form, files={"file": talk}) as response,
    ):
        first = next(line for line in response.iter_lines() if line.startswith("data:"))  # behind signs of life
        assert first.startswith('data: {"type":"transcript.text.delta"')
    # the lane is free again: this does not wait for the other eleven windows
    sample = {"file": SAMPLE.read_bytes()}
    answer = httpx.post(
        f"{server.api}/audio/transcriptions", files=sample, data={"prompt": "hang up"}, trust_env=False, timeout=60
    )
    assert answer.status_code == 200
    assert counted(server, left) == before + 1


def test_transcripts_of_several_clients_at_once(client: openai.OpenAI, jfk: bytes) -> None:
    texts: list[str] = []

    def ask(language: str) -> None:
        answer = client.audio.transcriptions.create(model="whisper-1", file=("jfk.flac", jfk), language=language)
        texts.append(answer.text)

    threads = [threading.Thread(target=ask, args=("en",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [plain(text) for text in texts] == [JFK] * 4


@pytest.fixture(scope="module")
def transcriber(whisper_folder: Path) -> Transcriber:
    return Transcriber(whisper_folder)


def test_drafts_beside_it_change_nothing_of_what_is_heard_with_care(transcriber: Transcriber, jfk: bytes) -> None:
    samples = samples_of(jfk)

    def hear(num_s: int, options: HearingOptions) -> list[Heard]:
        return list(transcriber.hear(Waveform(samples[: num_s * SAMPLE_RATE], SAMPLE_RATE), options))

    alone = hear(11, HearingOptions())
    draft = hear(3, HearingOptions(is_draft=True))
    with ThreadPoolExecutor(2) as pool:
        care = pool.submit(hear, 11, HearingOptions())
        drafts = [pool.submit(hear, 3, HearingOptions(is_draft=True)) for _ in range(3)]
        assert care.result() == alone
        assert [one.result() for one in drafts] == [draft] * 3


@pytest.fixture(scope="module")
def reference(whisper_folder: Path) -> WhisperModel:
    """faster-whisper's own program over the same weights: with timestamp tokens, full windows, no voice detector."""
    return WhisperModel(str(whisper_folder), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)


def words_of(transcriber: Transcriber, samples: NDArray[np.float32]) -> list[Word]:
    heard = transcriber.hear(Waveform(samples, SAMPLE_RATE), HearingOptions(with_times=True))
    return [word for one in heard for segment in one.segments for word in segment.words]


@pytest.mark.parametrize("name", ["jfk.flac", "chinese.flac", "barista_dev", SAMPLE.name])
def test_times_agree_with_faster_whisper(
    transcriber: Transcriber, reference: WhisperModel, extra_data: Path, name: str
) -> None:
    place = SAMPLE if name == SAMPLE.name else extra_data / "audio" / name
    files = sorted(place.glob("*.wav"))[:4] if place.is_dir() else [place]
    for file in files:
        samples = samples_of(file.read_bytes())
        ours = words_of(transcriber, samples)
        theirs = [word for segment in reference.transcribe(samples, word_timestamps=True)[0] for word in segment.words]
        matcher = difflib.SequenceMatcher(
            a=[plain(word.text) for word in ours], b=[plain(word.word) for word in theirs], autojunk=False
        )
        pairs = [
            (ours[match.a + index], theirs[match.b + index])
            for match in matcher.get_matching_blocks()
            for index in range(match.size)
        ]
        # the other program hears a word differently here and there, and parts words with a hyphen
        assert len(pairs) >= 0.7 * len(theirs)
        for word, other in pairs:
            assert abs(word.start_s - other.start) <= 0.3, word
            assert abs(word.end_s - other.end) <= 0.3, word


def test_silence_that_was_cut_out_is_in_the_times(transcriber: Transcriber, jfk: bytes) -> None:
    speech = samples_of(jfk)
    before, between = np.zeros(3 * SAMPLE_RATE, np.float32), np.zeros(8 * SAMPLE_RATE, np.float32)
    words = words_of(transcriber, np.concatenate([before, speech, between, speech]))
    alone = words_of(transcriber, speech)
    assert [plain(word.text) for word in words] == 2 * [plain(word.text) for word in alone]
    for first_s, placed in ((3.0, words[: len(alone)]), (22.0, words[len(alone) :])):
        for word, other in zip(placed, alone, strict=True):
            # where a silence is counted to a word differs with what stands around it; its end does not
            assert word.end_s - first_s == pytest.approx(other.end_s, abs=0.4)
            assert word.start_s >= first_s - 0.5
