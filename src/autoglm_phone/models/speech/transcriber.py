"""Hears speech as text with a whisper model from a local folder, on faster-whisper's parts. For the media process.

What is no speech is no text: a voice detector goes first, and a window that the model itself doubts is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel  # type: ignore[import-untyped]  # ships no types
from faster_whisper.audio import pad_or_trim  # type: ignore[import-untyped]  # ships no types
from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped]  # ships no types
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens  # type: ignore[import-untyped]  # ships no types
from faster_whisper.vad import VadOptions, collect_chunks, get_speech_timestamps  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.media import Waveform
from autoglm_phone.core.module import Reading
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.speech.language import language_name, to_simplified, word_space

ARCH = "whisper"
VERSION = "base"
LIMITS = "transcribes speech; music, sounds and who is speaking are not heard"
SAMPLE_RATE = 16_000
_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")

_FRAMES_PER_S = 100
_FULL_WINDOW_S = 30
# Whisper learnt on windows of 30 s, and the encoder takes most of the time. On a short window it is three times as
# fast, but repeats itself or guesses where too little silence follows the speech: of 78 spoken values 63 were heard
# with 1 s of it, 64 with 3 s, 67 with 6 s in 12 s or more, 70 with the full window. So the short one goes first and
# the full one hears again what the short one doubted (_Hearing.is_doubtful): 69 together.
_MIN_WINDOW_S, _TRAILING_SILENCE_S = 12, 6
_MAX_SPEECH_S = 28
# The voice detector takes a whole sound at once: 220 MB for 300 s, 35 MB for 60 s.
_MAX_PIECE_S, _SEAM_S = 60, 5

# Beam search over 5 hears 70 of the 78 values, greedy search 67, for a tenth more time.
_BEAM_SIZE = 5
# Above every language's rate of speaking; a model that loops ends here.
_MAX_TOKENS_PER_S, _SPARE_TOKENS, _MAX_TOKENS = 20, 20, 220

# OpenAI's thresholds for a failed window (github.com/openai/whisper, transcribe.py). A text that repeats itself is
# thrown away only if nobody says so many words in the time: people repeat themselves, too.
_MIN_LOGPROB, _MAX_NO_SPEECH, _MAX_COMPRESSION, _MAX_REPEATED_TOKENS_PER_S = -1.0, 0.6, 2.4, 6
# What the short window may be trusted with; the clips it got wrong lay below.
_SURE_LOGPROB, _SURE_LANGUAGE = -0.5, 0.5


@dataclass(frozen=True)
class _Hearing:
    """What one window was heard as; logprob is the mean over its tokens."""

    text: str
    language: str
    language_probability: float
    logprob: float
    no_speech_probability: float
    tokens_per_s: float

    @property
    def is_repeating(self) -> bool:
        return bool(self.text) and get_compression_ratio(self.text) > _MAX_COMPRESSION

    @property
    def is_doubtful(self) -> bool:
        is_sure = self.logprob > _SURE_LOGPROB and self.language_probability > _SURE_LANGUAGE
        return not is_sure or self.is_repeating

    @property
    def is_speech(self) -> bool:
        is_loop = self.is_repeating and self.tokens_per_s > _MAX_REPEATED_TOKENS_PER_S
        is_heard = self.logprob > _MIN_LOGPROB and self.no_speech_probability < _MAX_NO_SPEECH
        return bool(self.text) and is_heard and not is_loop


class Transcriber:
    """A SpeechReader. Not thread-safe. threads are those of one reading."""

    arch = ARCH
    version = VERSION
    limits = LIMITS

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.files = tuple(folder / name for name in _FILES)
        # without its tokenizer file the library would ask a model hub
        if missing := [file.name for file in self.files if not file.is_file()]:
            raise BundleError(f"{folder} holds no whisper model: {', '.join(missing)} missing; fetch the bundle again")
        self._whisper = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1, local_files_only=True
        )
        self._hear(np.zeros(SAMPLE_RATE, np.float32), _MIN_WINDOW_S, None)  # the first call allocates
        return_free_memory()

    def read(self, sound: Waveform) -> Reading:
        """sound must be at SAMPLE_RATE. The text is empty where nobody speaks."""
        assert sound.sample_rate == SAMPLE_RATE
        try:
            hearings = [hearing for hearing in self._hear_all(sound.samples) if hearing.is_speech]
        finally:
            return_free_memory()
        if not hearings:
            return Reading("", f"{sound.duration_s:.1f} s, no speech")
        language = hearings[0].language
        text = word_space(language).join(hearing.text for hearing in hearings)
        return Reading(to_simplified(text, language), f"{sound.duration_s:.1f} s, {language_name(language)}")

    def _hear_all(self, samples: NDArray[np.float32]) -> list[_Hearing]:
        language: str | None = None
        hearings = []
        for window in _speech_windows(samples):
            seconds = len(window) / SAMPLE_RATE
            short_s = min(_FULL_WINDOW_S, max(_MIN_WINDOW_S, seconds + _TRAILING_SILENCE_S))
            hearing = self._hear(window, short_s, language)
            if hearing.is_doubtful and short_s < _FULL_WINDOW_S:
                hearing = self._hear(window, _FULL_WINDOW_S, language)
            if language is None and hearing.is_speech:
                language = hearing.language
            hearings.append(hearing)
        return hearings

    def _hear(self, samples: NDArray[np.float32], window_s: float, language: str | None) -> _Hearing:
        """One pass of encoder and decoder. language None: detected."""
        whisper = self._whisper
        features = pad_or_trim(whisper.feature_extractor(samples), round(window_s * _FRAMES_PER_S))
        encoded = whisper.encode(features)
        probability = 1.0
        if language is None:
            token, probability = whisper.model.detect_language(encoded)[0][0]
            language = token.strip("<|>")
        tokenizer = Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language=language)
        prompt = whisper.get_prompt(tokenizer, [], without_timestamps=True)
        max_tokens = min(_MAX_TOKENS, _SPARE_TOKENS + round(len(samples) / SAMPLE_RATE * _MAX_TOKENS_PER_S))
        result = whisper.model.generate(
            encoded,
            [prompt],
            beam_size=_BEAM_SIZE,
            max_length=len(prompt) + max_tokens,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )[0]
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        # the score is the mean over the tokens; the end of the text counts as one more
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        tokens_per_s = len(tokens) * SAMPLE_RATE / len(samples)
        return _Hearing(text, language, probability, logprob, result.no_speech_prob, tokens_per_s)


def _speech_windows(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The parts with a voice in them (silero), joined to windows of _MAX_SPEECH_S at most."""
    for piece in _pieces(samples):
        chunks = get_speech_timestamps(piece, VadOptions(max_speech_duration_s=_MAX_SPEECH_S))
        windows, _ = collect_chunks(piece, chunks, max_duration=_MAX_SPEECH_S)
        yield from (window for window in windows if len(window))


def _pieces(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Cut where it is quietest in the last seconds of each piece, so that no word is cut."""
    while len(samples) > _MAX_PIECE_S * SAMPLE_RATE:
        first = (_MAX_PIECE_S - _SEAM_S) * SAMPLE_RATE
        loudness = np.square(samples[first : _MAX_PIECE_S * SAMPLE_RATE]).reshape(-1, SAMPLE_RATE // 10).sum(axis=1)
        seam = first + int(loudness.argmin()) * (SAMPLE_RATE // 10) + SAMPLE_RATE // 20
        yield samples[:seam]
        samples = samples[seam:]
    yield samples
