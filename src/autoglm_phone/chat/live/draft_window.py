"""Which part of a growing sound is heard again for its next draft, and the words of what lies before it. Pure.

So a draft takes as long at the end of a long turn as at its beginning. The window begins behind a pause up to which the
sound was heard with care, or else behind words that are agreed on, where it is quietest between them.
Source: the buffer of whisper_streaming, Macháček et al. 2023 (arXiv 2307.14743), section 3.
"""

from collections.abc import Sequence
from itertools import pairwise

from autoglm_phone.core.live import LIVE_RATE
from autoglm_phone.core.transcript import Heard, Word

# A longer window is cut where that is possible, and one of twice the length wherever it is.
_LONG_S = 6.0
# Less stays whole behind a pause, too: words are heard better with those before them.
_SHORT_S = 2.0
# Behind a pause a sentence may go on that seemed to be at its end.
_END_MARKS = " .,?!…。，？！"


class DraftWindow:
    """start: of the window, in samples. before: the words in front of it. language: what was spoken there."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.before = ""
        self.language: str | None = None

    def wants_times(self, end: int) -> bool:
        """Whether the window up to here will be cut, for which the times of its words are needed."""
        return end - self.start > _LONG_S * LIVE_RATE

    def text(self, heard: Sequence[Heard]) -> str:
        """Of the whole sound, with what was heard in the window."""
        return (self.before + "".join(one.text for one in heard)).strip()

    def settle(self, heard: Sequence[Heard], end: int) -> None:
        """heard: all of the sound up to here, with care."""
        text = "".join(one.text for one in heard).strip().rstrip(_END_MARKS)
        if text and end - self.start > _SHORT_S * LIVE_RATE:
            self.start, self.before, self.language = end, text, heard[-1].language

    def move(self, heard: Sequence[Heard], end: int, *, num_agreed: int) -> None:
        """Begin the next window later, if this one, which went up to `end`, is long.

        num_agreed: how many characters of `text(heard)` will not be taken back.
        """
        if not self.wants_times(end):
            return
        text = self.text(heard)
        places = _places(
            text, len(self.before), [word for one in heard for segment in one.segments for word in segment.words]
        )
        if end - self.start > 2 * _LONG_S * LIVE_RATE:
            num_agreed = max(num_agreed, len(text))
        gaps = [
            (after.start_s - word.end_s, word.end_s, after.start_s, place)
            for (word, place), (after, _) in pairwise(places)
        ]
        cuts = [gap for gap in gaps if gap[-1] <= num_agreed]
        if cuts:
            _, end_s, start_s, place = max(cuts)
            self.language = heard[-1].language
            self.before = text[:place]
            self.start += round((end_s + start_s) / 2 * LIVE_RATE)
        elif not text[len(self.before) :].strip():
            self.start = end - round(_LONG_S * LIVE_RATE)  # nobody has said a word


def _places(text: str, begin: int, words: Sequence[Word]) -> list[tuple[Word, int]]:
    """Each word with where it ends in the text, as far as they are found there."""
    places = []
    for word in words:
        at = text.find(word.text, begin)
        if at < 0:
            break
        begin = at + len(word.text)
        places.append((word, begin))
    return places
