"""Cuts a tall picture into bands between its lines of words, so that one band at a time is read. Pure."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# How far a seam may move from its even place, in parts of a band, and how many rows around it should be empty.
_REACH = 0.3
_QUIET_ROWS = 15


def to_bands(pixels: NDArray[np.uint8], max_height: int) -> list[tuple[int, int]]:
    """First row and end of each band, top to bottom; together they are the picture. pixels (height, width, 3)

    Bands are of about even height, max_height and a third of it at most.
    """
    height = pixels.shape[0]
    num_bands = math.ceil(height / max_height)
    seams = [_quietest(pixels, round(height * k / num_bands), round(height / num_bands)) for k in range(1, num_bands)]
    return list(pairwise([0, *seams, height]))


def _quietest(pixels: NDArray[np.uint8], row: int, band: int) -> int:
    """The row near this one with the least going on from left to right: letters change quickly, gaps do not."""
    reach = round(band * _REACH / 2)
    if reach < _QUIET_ROWS:
        return row
    first = row - reach
    rows = pixels[first : row + reach, :, 1].astype(np.int16)  # green is most of what the eye calls light
    changes = np.abs(np.diff(rows, axis=1)).mean(axis=1) if rows.shape[1] > 1 else np.zeros(len(rows))
    around = np.convolve(changes, np.ones(_QUIET_ROWS), "valid")
    return first + int(around.argmin()) + _QUIET_ROWS // 2
