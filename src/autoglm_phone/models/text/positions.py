"""M-RoPE positions: three numbers for every token, in time, down and across. Arithmetic only.

Text counts on in all three at once. A picture stands still in time, its tokens take their rows and columns, and what
comes behind it begins after its longer side: a picture of many tokens takes few positions.
Source: github.com/huggingface/transformers, models/glm4v/modeling_glm4v.py (get_rope_index).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Positions = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class TextSpan:
    num_tokens: int


@dataclass(frozen=True)
class ImageSpan:
    """rows, columns: of tokens."""

    rows: int
    columns: int


def mrope_positions(spans: Iterable[TextSpan | ImageSpan], start: int = 0) -> Positions:
    """(3, T) of the tokens of all spans. start: the position that comes next, as `next_position` has it."""
    found = [np.empty((3, 0), np.int64)]
    for span in spans:
        match span:
            case TextSpan(num_tokens):
                found.append(np.broadcast_to(np.arange(start, start + num_tokens), (3, num_tokens)))
                start += num_tokens
            case ImageSpan(rows, columns):
                places = np.indices((1, rows, columns)).reshape(3, -1)
                found.append(places + start)
                start += max(rows, columns)
    return np.concatenate(found, axis=1)


def next_position(positions: Positions) -> int:
    """Where the token behind these stands, on all three axes."""
    return int(positions.max(initial=-1)) + 1
