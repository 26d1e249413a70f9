"""Lines of words on a screen, put in the order in which a person reads them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

# Coordinates are thousandths of the picture's width and height, as the phone agent takes them.
GRID = 1000


@dataclass(frozen=True)
class TextLine:
    """x, y: the centre. The others: the extent. All in 0 .. GRID-1 of the picture."""

    x: int
    y: int
    left: float
    top: float
    right: float
    bottom: float
    text: str

    @classmethod
    def from_corners(cls, corners: ArrayLike, text: str, *, width: int, height: int) -> Self:
        """corners (4, 2): x and y in pixels, of a picture of width x height."""
        points = np.asarray(corners, np.float64) * GRID / (width, height)
        x, y = np.clip(points.mean(axis=0), 0, GRID - 1).astype(int)
        left, top = np.clip(points.min(axis=0), 0, GRID - 1).tolist()
        right, bottom = np.clip(points.max(axis=0), 0, GRID - 1).tolist()
        return cls(int(x), int(y), left, top, right, bottom, text)

    @property
    def box(self) -> tuple[int, int, int, int]:
        return round(self.left), round(self.top), round(self.right), round(self.bottom)

    def is_beside(self, other: "TextLine") -> bool:
        """Each one's middle lies within the other's height: a large clock is not beside each of two small lines."""
        return self.top <= other.y <= self.bottom and other.top <= self.y <= other.bottom


def to_reading_order(lines: Iterable[TextLine]) -> list[TextLine]:
    """Rows from top to bottom, left to right inside a row."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=attrgetter("y", "x")):
        if rows and rows[-1][0].is_beside(line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=attrgetter("x", "y"))]
