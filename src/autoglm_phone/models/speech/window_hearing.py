"""What one window was heard as, and whether to believe it."""

from dataclasses import dataclass

from faster_whisper.transcribe import get_compression_ratio  # type: ignore[import-untyped]  # ships no types

from autoglm_phone.core.transcript import Task

# OpenAI's thresholds for a failed window (github.com/openai/whisper, transcribe.py). A text that repeats itself is
# thrown away only if nobody says so many words in the time: people repeat themselves, too.
_MIN_LOGPROB, _MAX_NO_SPEECH, _MAX_COMPRESSION, _MAX_REPEATED_TOKENS_PER_S = -1.0, 0.6, 2.4, 6
# A translation may be put in many ways, so that none is likely: a right one of five words had -1.3. And a draft ends in
# the middle of a word, while a voice is heard and for one that will be heard again: with -1.0 a clip spoken with an
# accent had no draft for 1.6 s, and 13 of 196 drafts of the commands were left out; with this none, and of the
# 24 commands 11 instead of 10 had a word agreed on that the whole sound contradicts.
_MIN_LOOSE_LOGPROB = -2.0
# What the short window may be trusted with; the clips it got wrong lay below.
_SURE_LOGPROB, _SURE_LANGUAGE = -0.5, 0.5


@dataclass(frozen=True)
class Hearing:
    """logprob is the mean over the tokens; language is a code."""

    text: str
    tokens: tuple[int, ...]
    language: str
    language_probability: float
    logprob: float
    no_speech_probability: float
    tokens_per_s: float
    temperature: float = 0.0
    task: Task = "transcribe"
    is_draft: bool = False

    @property
    def compression_ratio(self) -> float:
        return float(get_compression_ratio(self.text)) if self.text else 0.0

    @property
    def is_doubtful(self) -> bool:
        is_sure = self.logprob > _SURE_LOGPROB and self.language_probability > _SURE_LANGUAGE
        return not is_sure or self._is_repeating

    @property
    def is_speech(self) -> bool:
        is_loop = self._is_repeating and self.tokens_per_s > _MAX_REPEATED_TOKENS_PER_S
        is_loose = self.is_draft or self.task == "translate"
        min_logprob = _MIN_LOOSE_LOGPROB if is_loose else _MIN_LOGPROB
        # who asks for a temperature wants unlikely words, too
        is_likely = self.logprob > min_logprob or self.temperature > 0
        return bool(self.text) and is_likely and self.no_speech_probability < _MAX_NO_SPEECH and not is_loop

    @property
    def _is_repeating(self) -> bool:
        return self.compression_ratio > _MAX_COMPRESSION
