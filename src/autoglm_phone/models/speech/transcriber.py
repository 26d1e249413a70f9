"""Hears speech as text with a whisper model from a local folder, on faster-whisper's parts. For the media process.

What is no speech is no text: a voice detector goes first, and a window that the model itself doubts is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ctranslate2 import StorageView  # type: ignore[import-untyped]  # ships no types
from faster_whisper import WhisperModel  # type: ignore[import-untyped]  # ships no types
from faster_whisper.audio import pad_or_trim  # type: ignore[import-untyped]  # ships no types
from faster_whisper.tokenizer import Tokenizer  # type: ignore[import-untyped]  # ships no types
from faster_whisper.transcribe import get_suppressed_tokens  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from autoglm_phone.core.errors import BundleError, InvalidRequest
from autoglm_phone.core.media import Waveform
from autoglm_phone.core.module import Checkpoint, Reading, go_on
from autoglm_phone.core.transcript import Heard, HearingOptions, Transcript
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.speech.alignment import aligned_words
from autoglm_phone.models.speech.language import language_name, text_language
from autoglm_phone.models.speech.segments import timed_segments, whole_segment
from autoglm_phone.models.speech.window_hearing import Hearing
from autoglm_phone.models.speech.windows import MAX_SPEECH_S, SAMPLE_RATE, SpeechWindow, speech_windows

ARCH = "whisper"
VERSION = "base"
LIMITS = "transcribes speech, and translates it to English poorly; music, sounds and who is speaking are not heard"
_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")

_FRAMES_PER_S = 100
_FULL_WINDOW_S = 30
# Whisper learnt on windows of 30 s, and the encoder takes most of the time. On a short window it is three times as
# fast, but repeats itself or guesses where too little silence follows the speech: of 78 spoken values 63 were heard
# with 1 s of it, 64 with 3 s, 67 with 6 s in 12 s or more, 70 with the full window. So the short one goes first and
# the full one hears again what the short one doubted (Hearing.is_doubtful): 69 together.
_MIN_WINDOW_S, _TRAILING_SILENCE_S = 12, 6
# A draft must come while it is of use: 8 s with 4 s of silence take 0.61 s instead of 0.78 (148 drafts of the commands,
# Zen 3, 1 thread), and 17 % instead of 14 % of its words are not among the final ones. 6 s with 3 s take 0.54 s and
# leave out 11 drafts, not 1.
_MIN_DRAFT_S, _DRAFT_SILENCE_S = 8, 4
assert MAX_SPEECH_S < _FULL_WINDOW_S

# Beam search over 5 hears 70 of the 78 values, greedy search 67, for a tenth more time.
_BEAM_SIZE = 5
# Above every language's rate of speaking; a model that loops ends here.
_MAX_TOKENS_PER_S, _SPARE_TOKENS, _MAX_TOKENS = 20, 20, 220
# Together with the control tokens they fill the decoder's 448.
_MAX_PROMPT_TOKENS = 223


@dataclass(frozen=True, eq=False)
class _Pass:
    """One pass of encoder and decoder over a window, and what an alignment needs of it."""

    hearing: Hearing
    tokenizer: Tokenizer
    encoded: StorageView
    num_frames: int


# A draft is heard beside a sound that is heard with care. They share the weights; a second worker takes its own sums.
_WORKERS = 2


class Transcriber:
    """A SpeechReader and a Listener, for _WORKERS threads at once. threads are those of one hearing."""

    arch = ARCH
    version = VERSION
    limits = LIMITS

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.files = tuple(folder / name for name in _FILES)
        # without its tokenizer file the library would ask a model hub
        if missing := [file.name for file in self.files if not file.is_file()]:
            raise BundleError(f"{folder} holds no whisper model: {', '.join(missing)} missing; fetch the bundle again")
        self._whisper = WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            num_workers=_WORKERS,
            local_files_only=True,
        )
        # No sound is heard here to warm up: the first takes 0.08 s longer than the second with or without it.
        return_free_memory()

    def read(self, sound: Waveform, checkpoint: Checkpoint = go_on) -> Reading:
        """sound must be at SAMPLE_RATE. The text is empty where nobody speaks. checkpoint: behind each window."""
        heard: list[Heard] = []
        for window in self.hear(sound, HearingOptions()):
            if window.segments:
                heard.append(window)
            checkpoint()
        transcript = Transcript(sound.duration_s, tuple(heard))
        what = language_name(transcript.language) if heard else "no speech"
        return Reading(transcript.text, f"{sound.duration_s:.1f} s, {what}")

    def hear(self, sound: Waveform, options: HearingOptions) -> Iterator[Heard]:
        """sound must be at SAMPLE_RATE. The first window with speech in it settles the language of the others.

        Before a window is heard a second time comes a Heard of nothing: who does not want it any more, stops there.

        Raises InvalidRequest for a language that this model does not know.
        """
        assert sound.sample_rate == SAMPLE_RATE
        try:
            prompt = self._prompt_tokens(options)
            language = options.language
            for window in speech_windows(sound.samples):
                options = replace(options, language=language)
                window_s = _short_window_s(window, is_draft=options.is_draft)
                one = self._listen(window.samples, window_s, options, prompt)
                if one.hearing.is_doubtful and window_s < _FULL_WINDOW_S and not options.is_draft:
                    yield _nothing(options, prompt)
                    one = self._listen(window.samples, _FULL_WINDOW_S, options, prompt)
                heard = self._heard(window, one, options, prompt)
                if heard.segments:
                    language = heard.language
                yield heard
        finally:
            return_free_memory()

    def _heard(self, window: SpeechWindow, one: _Pass, options: HearingOptions, prompt: list[int]) -> Heard:
        hearing = one.hearing
        if not hearing.is_speech:
            return _nothing(options, prompt)
        written = text_language(options.task, hearing.language)
        if not options.with_times:
            return Heard(hearing.language, (whole_segment(window, hearing, written),), len(prompt))
        words = aligned_words(self._whisper, one.tokenizer, one.encoded, hearing.tokens, one.num_frames)
        return Heard(hearing.language, timed_segments(window, hearing, written, words), len(prompt))

    def _listen(
        self, samples: NDArray[np.float32], window_s: float, options: HearingOptions, before: list[int]
    ) -> _Pass:
        """One pass over window_s seconds that begin with the samples. before: tokens of HearingOptions.prompt."""
        whisper = self._whisper
        features = pad_or_trim(whisper.feature_extractor(samples), round(window_s * _FRAMES_PER_S))
        encoded = whisper.encode(features)
        language, probability = options.language, 1.0
        if language is None:
            token, probability = whisper.model.detect_language(encoded)[0][0]
            language = token.strip("<|>")
        tokenizer = Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, task=options.task, language=language)
        prompt = whisper.get_prompt(tokenizer, before, without_timestamps=True)
        max_tokens = min(_MAX_TOKENS, _SPARE_TOKENS + round(len(samples) / SAMPLE_RATE * _MAX_TOKENS_PER_S))
        result = whisper.model.generate(
            encoded,
            [prompt],
            max_length=len(prompt) + max_tokens,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            **_search(options),
        )[0]
        tokens = result.sequences_ids[0]
        hearing = Hearing(
            text=tokenizer.decode(tokens).strip(),
            tokens=tuple(tokens),
            language=language,
            language_probability=probability,
            # the score is the mean over the tokens; the end of the text counts as one more
            logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
            no_speech_probability=result.no_speech_prob,
            tokens_per_s=len(tokens) * SAMPLE_RATE / len(samples),
            temperature=options.temperature,
            task=options.task,
            is_draft=options.is_draft,
        )
        num_frames = min(features.shape[-1], round(len(samples) / SAMPLE_RATE * _FRAMES_PER_S))
        return _Pass(hearing, tokenizer, encoded, num_frames)

    def _prompt_tokens(self, options: HearingOptions) -> list[int]:
        """Of the prompt's end, as much as the decoder takes. No text becomes a control token."""
        tokenizer = self._whisper.hf_tokenizer
        if options.language is not None and tokenizer.token_to_id(f"<|{options.language}|>") is None:
            raise InvalidRequest(
                f"this server's transcriber does not know the language {options.language!r}", param="language"
            )
        if not options.prompt.strip():
            return []
        first_control = tokenizer.token_to_id("<|endoftext|>")
        tokens = tokenizer.encode(f" {options.prompt.strip()}", add_special_tokens=False).ids
        return [token for token in tokens if token < first_control][-_MAX_PROMPT_TOKENS:]


def _short_window_s(window: SpeechWindow, *, is_draft: bool) -> float:
    least_s, silence_s = (_MIN_DRAFT_S, _DRAFT_SILENCE_S) if is_draft else (_MIN_WINDOW_S, _TRAILING_SILENCE_S)
    return min(_FULL_WINDOW_S, max(least_s, len(window.samples) / SAMPLE_RATE + silence_s))


def _nothing(options: HearingOptions, prompt: list[int]) -> Heard:
    return Heard(options.language or "", (), len(prompt))


def _search(options: HearingOptions) -> dict[str, float]:
    """Beam search for the likeliest words, or the likeliest of as many samples; a draft takes the next likeliest."""
    if options.temperature == 0:
        return {"beam_size": 1 if options.is_draft else _BEAM_SIZE}
    return {
        "beam_size": 1,
        "num_hypotheses": _BEAM_SIZE,
        "sampling_topk": 0,
        "sampling_temperature": options.temperature,
    }
