"""The words of a window to sentences: what one line of subtitles shows. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

_SENTENCE_ENDS = ".!?。！？…"
_CLAUSE_ENDS = ",;:，、；："
_CLOSING = "\"'”’)]}」』"
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "vs.", "prof.", "e.g.", "i.e."})

# Whoever is silent for so long has ended a sentence.
_PAUSE_S = 1.0
# What is longer is halved where the speaker takes a breath.
_MAX_SENTENCE_S = 10.0
_CLAUSE_BONUS_S = 0.5
# Above it a word is not one but a silence (github.com/openai/whisper, timing.py).
_LONG_MEDIAN_S = 0.7


@dataclass(frozen=True)
class TimedWord:
    """text as the tokens give it: with the space before the word and the punctuation behind it. Times in seconds."""

    text: str
    tokens: tuple[int, ...]
    start_s: float
    end_s: float
    probability: float


def whole_words(words: Sequence[TimedWord]) -> list[TimedWord]:
    """For languages that part their words by spaces: what has none before it belongs to the last word.

    The alignment gives `o'clock` as ` o` and `'clock`, and takes every token of a translation from Chinese for a word.
    """
    whole: list[TimedWord] = []
    for word in words:
        if whole and not word.text.startswith(" "):
            last = whole.pop()
            word = TimedWord(
                last.text + word.text,
                last.tokens + word.tokens,
                last.start_s,
                word.end_s,
                min(last.probability, word.probability),
            )
        whole.append(word)
    return whole


def without_silence(words: Sequence[TimedWord]) -> list[TimedWord]:
    """The alignment gives the silence before a sentence to its first word; no first word is so long.

    Source: the same limit in github.com/openai/whisper, timing.py, `add_word_timestamps` (MIT).
    """
    lengths = [word.end_s - word.start_s for word in words if word.end_s > word.start_s]
    longest_s = 2 * min(statistics.median(lengths), _LONG_MEDIAN_S) if lengths else 0.0
    trimmed = []
    for index, word in enumerate(words):
        is_first = index == 0 or _ends_sentence(words[index - 1].text)
        if is_first and word.end_s - word.start_s > longest_s:
            word = replace(word, start_s=word.end_s - longest_s)
        trimmed.append(word)
    return trimmed


def sentences(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    """Cut behind the end of each sentence and at each pause; what is still too long, in halves. Loses no word."""
    found: list[list[TimedWord]] = []
    for word in words:
        last = found[-1][-1] if found else None
        if last is None or _ends_sentence(last.text) or word.start_s - last.end_s >= _PAUSE_S:
            found.append([])
        found[-1].append(word)
    return [part for sentence in found for part in _halves(sentence)]


def _halves(words: list[TimedWord]) -> list[list[TimedWord]]:
    length_s = words[-1].end_s - words[0].start_s
    if length_s <= _MAX_SENTENCE_S or len(words) == 1:
        return [words]
    middle_s = words[0].start_s + length_s / 2

    def merit(cut: int) -> float:
        """A pause or a comma is worth a cut that is as much farther from the middle."""
        before, after = words[cut - 1], words[cut]
        breath_s = after.start_s - before.end_s + (_CLAUSE_BONUS_S if _ends_with(before.text, _CLAUSE_ENDS) else 0.0)
        return breath_s - abs(before.end_s - middle_s) / length_s

    cut = max(range(1, len(words)), key=merit)
    return [*_halves(words[:cut]), *_halves(words[cut:])]


def _ends_sentence(text: str) -> bool:
    return _ends_with(text, _SENTENCE_ENDS) and text.strip().lower() not in _ABBREVIATIONS


def _ends_with(text: str, marks: str) -> bool:
    return text.rstrip().rstrip(_CLOSING).endswith(tuple(marks))
