"""Which strips of a screen the detector has to see, so that the rows that are not known get read. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from autoglm_phone.models.vision.seen_screens import Span

# In rows of the detector's own grid, which a strip fills exactly: how many it sees above and below, and at least.
_AROUND, _MIN_HEIGHT = 1, 4
# Of a screen's rows; where strips would be more, the whole screen takes as long and what was known is not needed.
_WORTH = 0.75


@dataclass(frozen=True)
class Strip:
    """rows: what the detector sees. unread: where its words count; others are known, or were cut off by the strip."""

    rows: Span
    unread: Span


def to_strips(unread: Iterable[Span], height: int, *, grid: float) -> list[Strip]:
    """From top to bottom, apart from each other; one strip of all rows if little can be saved.

    unread  spans from top to bottom, apart from each other
    grid    rows of the picture to one of the detector's grid
    """
    strips: list[Strip] = []
    for span in unread:
        strip = _around(span, height, grid)
        while strips and strips[-1].rows[1] > strip.rows[0]:
            strip = _around((strips.pop().unread[0], strip.unread[1]), height, grid)
        strips.append(strip)
    if sum(strip.rows[1] - strip.rows[0] for strip in strips) > _WORTH * height:
        return [Strip((0, height), (0, height))]
    return strips


def _around(unread: Span, height: int, grid: float) -> Strip:
    first, end = unread
    num_grid = max(_MIN_HEIGHT, math.ceil((end - first) / grid) + 2 * _AROUND)
    num_rows = min(height, round(num_grid * grid))
    top = min(max(0, first - (num_rows - (end - first)) // 2), height - num_rows)
    return Strip((top, top + num_rows), unread)
