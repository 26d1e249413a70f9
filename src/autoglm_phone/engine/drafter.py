"""Drafter: guesses how one answer goes on, from what its own prompt and answer say already.

Answers of a phone session repeat the screen, the history and themselves. Nothing of other requests is looked at: a
guess changes no text, but that it came true can be seen in the time, and what others were told would show in it.
"""

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.engine.step_costs import StepCosts

Keys = NDArray[np.int32]

MIN_MATCH = 2  # tokens that must agree before a guess is made
LONGEST_MATCH = 16  # from here on more agreement tells nothing more
_CLASSES = (4, 8, LONGEST_MATCH)  # bounds of the lengths of agreement that are counted apart
_FIRST_CHANCES = (0.5, 0.8, 0.9, 0.95)  # that the next token agrees too, before an answer has told
_FIRST_WEIGHT = 4.0  # in tokens
_FORGET = 0.95  # a token's weight a token later: the answer may leave the quote and come to another
MIN_GAIN = 1.05  # of tokens a second, for which a guess is worth being computed


class Drafter:
    """Follows a place in the text that has agreed with the answer so far, and learns how long that lasts.

    It watches the answer grow whether its guesses are computed or not, so that trying again costs no step.
    """

    def __init__(self, num_prompt: int) -> None:
        self._seen = num_prompt
        self._source: int | None = None  # where in the text the next token is expected to stand
        self._match = 0  # tokens before it that agree with the answer's last ones
        self._hits = [_FIRST_WEIGHT * chance for chance in _FIRST_CHANCES]
        self._trials = [_FIRST_WEIGHT] * len(_FIRST_CHANCES)

    def propose(self, keys: Keys, most: int, costs: StepCosts, num_positions: int) -> list[int]:
        """What is worth computing behind the text, at most `most` tokens; often nothing.

        keys            (T,) token ids of prompt and answer, negative ones under embeddings
        num_positions   what the step computes anyway
        """
        self._watch(keys)
        if self._source is None:
            return []
        count = self._best_count(most, costs, num_positions)
        draft: list[int] = []
        for position in range(self._source, self._source + count):
            # A text that repeats itself goes on in its own guess.
            key = int(keys[position]) if position < len(keys) else draft[position - len(keys)]
            if key < 0:
                break
            draft.append(key)
        return draft

    def _watch(self, keys: Keys) -> None:
        """Compare what was generated since with what was expected, and look for a new place where that failed."""
        for position in range(self._seen, len(keys)):
            if self._source is None:
                break
            hit = bool(keys[self._source] == keys[position])
            self._learn(hit=hit)
            self._source, self._match = (self._source + 1, self._match + 1) if hit else (None, 0)
        if self._source is None and len(keys) > self._seen:
            self._source, self._match = find(keys)
        self._seen = len(keys)

    def _learn(self, *, hit: bool) -> None:
        kind = _kind(self._match)
        self._hits[kind] = self._hits[kind] * _FORGET + hit
        self._trials[kind] = self._trials[kind] * _FORGET + 1

    def _best_count(self, most: int, costs: StepCosts, num_positions: int) -> int:
        """The number of guesses that gives most tokens a second; 0 if it is hardly more than without."""
        best, best_speed = 0, MIN_GAIN
        chance = tokens = 1.0
        for count in range(1, most + 1):
            kind = _kind(self._match + count - 1)
            chance *= self._hits[kind] / self._trials[kind]
            tokens += chance
            speed = tokens / costs.ratio(num_positions, count)
            if speed > best_speed:
                best, best_speed = count, speed
        return best


def find(keys: Keys) -> tuple[int | None, int]:
    """The place behind the longest and latest repetition of the text's end, and how long that is up to a bound."""
    end = len(keys) - 1
    if end < MIN_MATCH:
        return None, 0
    places = np.flatnonzero(keys[:end] == keys[end])
    length = 1
    while length < LONGEST_MATCH and length <= end:
        longer = places[places >= length]
        longer = longer[keys[longer - length] == keys[end - length]]
        if not len(longer):
            break
        places, length = longer, length + 1
    return (int(places[-1]) + 1, length) if length >= MIN_MATCH else (None, 0)


def _kind(match: int) -> int:
    return sum(match >= bound for bound in _CLASSES)
