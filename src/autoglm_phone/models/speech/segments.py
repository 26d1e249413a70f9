"""What was heard in a window to segments with their times in the sound. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from autoglm_phone.core.transcript import Segment, Word
from autoglm_phone.models.speech.language import to_simplified, word_space
from autoglm_phone.models.speech.sentences import TimedWord, sentences, whole_words, without_silence
from autoglm_phone.models.speech.window_hearing import Hearing
from autoglm_phone.models.speech.windows import SpeechWindow


def whole_segment(window: SpeechWindow, hearing: Hearing, language: str) -> Segment:
    """language: of the text, which is not the spoken one in a translation."""
    return _segment(window, hearing, language, hearing.text, hearing.tokens, (window.start_s, window.end_s))


def timed_segments(
    window: SpeechWindow, hearing: Hearing, language: str, words: Sequence[TimedWord]
) -> tuple[Segment, ...]:
    """One a sentence. Their texts, joined, are the whole segment's."""
    if not words:
        return (whole_segment(window, hearing, language),)
    if word_space(language):
        words = whole_words(words)
    groups = sentences(_in_sound(window, without_silence(words)))
    texts = ["".join(word.text for word in group) for group in groups]
    texts[0] = texts[0].lstrip()
    texts[-1] = texts[-1].rstrip()
    segments = []
    for index, (group, text) in enumerate(zip(groups, texts, strict=True)):
        tokens = tuple(token for word in group for token in word.tokens)
        times = (group[0].start_s, group[-1].end_s)
        segment = _segment(window, hearing, language, text, tokens, times, is_first=index == 0)
        segments.append(replace(segment, words=_words(group, language)))
    return tuple(segments)


def _segment(
    window: SpeechWindow,
    hearing: Hearing,
    language: str,
    text: str,
    tokens: tuple[int, ...],
    times: tuple[float, float],
    *,
    is_first: bool = True,
) -> Segment:
    space = word_space(language) if is_first else ""
    return Segment(
        text=space + to_simplified(text, language),
        start_s=times[0],
        end_s=times[1],
        tokens=tokens,
        temperature=hearing.temperature,
        window_start_s=window.start_s,
        avg_logprob=hearing.logprob,
        no_speech_probability=hearing.no_speech_probability,
        compression_ratio=hearing.compression_ratio,
    )


def _words(group: Sequence[TimedWord], language: str) -> tuple[Word, ...]:
    texts = [to_simplified(word.text.strip(), language) for word in group]
    return tuple(
        Word(text, word.start_s, word.end_s, word.probability) for text, word in zip(texts, group, strict=True) if text
    )


def _in_sound(window: SpeechWindow, words: Sequence[TimedWord]) -> list[TimedWord]:
    """No word begins before the last one has ended."""
    placed: list[TimedWord] = []
    for word in words:
        start_s, end_s = window.times_in_sound(word.start_s, word.end_s)
        if placed:
            start_s = max(start_s, placed[-1].end_s)
        placed.append(replace(word, start_s=start_s, end_s=max(start_s, end_s)))
    return placed
