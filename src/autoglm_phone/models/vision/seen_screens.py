"""What was read on the last screens, and which rows of a new one are not known from them. Pure.

Words are taken over only where every pixel of their rows, from edge to edge and a little above and below, is the same
as it was. So nothing that one client showed can appear in another's reading unless he shows the very same pixels;
what he can learn is that they were seen before, by the time it takes.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.bytes_]
"""(height,) S32: the sha256 of each row of a picture, top to bottom."""

Span = tuple[int, int]
"""First row and end."""

# A phone's screen has at most 2400 rows at the size that is read; a taller page is not a screen that comes again.
_MAX_ROWS = 4096
_MAX_SCREENS = 8
# Rows around a line that have to be the same too: the detector draws its boxes by what stands near.
_MARGIN_ROWS = 12
# So many rows that occur once on both screens have to agree on how far a page was scrolled.
_MIN_SCROLLED_ROWS = 48


@dataclass(frozen=True, eq=False)
class FoundLine:
    """corners (4, 2): x and y in pixels. words are empty where the model was not sure of any."""

    corners: NDArray[np.float64]
    words: str

    @property
    def rows(self) -> Span:
        heights = self.corners[:, 1]
        return int(np.floor(heights.min())), int(np.ceil(heights.max())) + 1

    def moved(self, num_rows: int) -> "FoundLine":
        return FoundLine(np.add(self.corners, (0, num_rows)), self.words) if num_rows else self

    def reaches_into(self, rows: Span) -> bool:
        first, end = self.rows
        return first < rows[1] and rows[0] < end

    def covers(self, other: "FoundLine") -> bool:
        """The other's middle lies in this one."""
        middle = other.corners.mean(axis=0)
        return bool((self.corners.min(axis=0) <= middle).all() and (middle <= self.corners.max(axis=0)).all())


@dataclass(frozen=True)
class Recalled:
    """lines: what is known of a screen. unread: the other rows, top to bottom, apart from each other."""

    lines: tuple[FoundLine, ...]
    unread: tuple[Span, ...]


@dataclass(frozen=True, eq=False)
class _Screen:
    rows: Rows
    lines: tuple[FoundLine, ...]


def to_rows(pixels: NDArray[np.uint8]) -> Rows:
    """pixels (height, width, 3); takes 6 ms for 1080x2400."""
    digests = b"".join(hashlib.sha256(row).digest() for row in np.ascontiguousarray(pixels))
    return np.frombuffer(digests, "S32")


class SeenScreens:
    """The last few screens, the least recently used given up first. At most 2 MB."""

    def __init__(self) -> None:
        self._screens: OrderedDict[bytes, _Screen] = OrderedDict()

    def remember(self, rows: Rows, lines: Iterable[FoundLine]) -> None:
        if len(rows) > _MAX_ROWS:
            return
        key = hashlib.sha256(rows.tobytes()).digest()
        self._screens.pop(key, None)
        self._screens[key] = _Screen(rows, tuple(lines))
        if len(self._screens) > _MAX_SCREENS:
            self._screens.popitem(last=False)

    def recall(self, rows: Rows) -> Recalled:
        """From the screen of this height that leaves the fewest rows unread. A row's digest tells its width too."""
        best = Recalled((), ((0, len(rows)),))
        for screen in reversed(self._screens.values()):
            if len(screen.rows) == len(rows):
                best = min(best, _recalled(screen, rows), key=_num_unread)
        return best


def _num_unread(recalled: Recalled) -> int:
    return sum(end - first for first, end in recalled.unread)


def _recalled(screen: _Screen, rows: Rows) -> Recalled:
    lines: list[FoundLine] = []
    is_known = np.zeros(len(rows), np.bool_)
    for shift in _shifts(screen.rows, rows):
        is_same = _same(screen.rows, rows, shift)
        is_read = is_same.copy()
        for line in screen.lines:
            moved = line.moved(-shift)
            first, end = moved.rows
            around = slice(max(0, first - _MARGIN_ROWS), max(0, end + _MARGIN_ROWS))
            if first < 0 or end > len(rows) or not is_same[around].all():
                is_read[max(0, first) : max(0, end)] = False
            elif not any(one.covers(moved) for one in lines):  # the same pixels can be had from two places
                lines.append(moved)
        is_known |= is_read
    return Recalled(tuple(lines), tuple(_runs(~is_known)))


def _shifts(old: Rows, new: Rows) -> Iterator[int]:
    """By how many rows the screen may have gone up: by none, and as far as most of the rows say that occur once."""
    yield 0
    old_places, new_places = _places_of_single(old), _places_of_single(new)
    _, in_old, in_new = np.intersect1d(old[old_places], new[new_places], assume_unique=True, return_indices=True)
    moves = old_places[in_old] - new_places[in_new]
    moves = moves[moves != 0]
    if len(moves) >= _MIN_SCROLLED_ROWS:
        shifts, votes = np.unique(moves, return_counts=True)
        if votes.max() >= _MIN_SCROLLED_ROWS:
            yield int(shifts[votes.argmax()])


def _places_of_single(rows: Rows) -> NDArray[np.intp]:
    _, places, counts = np.unique(rows, return_index=True, return_counts=True)
    single: NDArray[np.intp] = places[counts == 1]
    return single


def _same(old: Rows, new: Rows, shift: int) -> NDArray[np.bool_]:
    """For each new row: it is what stood `shift` rows further down."""
    same = np.zeros(len(new), np.bool_)
    first, end = max(0, -shift), min(len(new), len(new) - shift)
    same[first:end] = new[first:end] == old[first + shift : end + shift]
    return same


def _runs(is_set: NDArray[np.bool_]) -> list[Span]:
    edges = np.flatnonzero(np.diff(is_set, prepend=False, append=False))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]
