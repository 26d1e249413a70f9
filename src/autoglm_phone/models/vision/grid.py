"""How large a picture is seen: the size that it is resized to, in whole groups of patches within a budget of pixels.

Arithmetic on sizes alone: it says how many tokens a picture takes before anything of it is decoded.
Source: github.com/huggingface/transformers, models/glm4v/image_processing_glm4v.py (smart_resize), equal to the pixel.
"""

import math
from dataclasses import dataclass

from autoglm_phone.core.errors import InvalidRequest

NUM_FRAMES = 2  # a still picture counts as two equal frames
MAX_ASPECT_RATIO = 200


@dataclass(frozen=True)
class PixelBudget:
    """Bounds on a resized picture's pixels, those of both frames together, as `size` in preprocessor_config.json.

    A picture so long and narrow that it is one token high at the least can exceed the upper one.
    """

    min_pixels: int = 112 * 112
    max_pixels: int = NUM_FRAMES * 6144 * 28 * 28

    @classmethod
    def of_tokens(cls, max_tokens: int, token_side: int) -> "PixelBudget":
        """token_side: pixels of a token's square, as in VisionConfig."""
        most = NUM_FRAMES * max_tokens * token_side**2
        return cls(min(cls.min_pixels, most), most)


@dataclass(frozen=True)
class PatchGrid:
    """rows, columns: of tokens. A token stands for `merge` x `merge` patches of `patch_side` x `patch_side` pixels."""

    rows: int
    columns: int
    merge: int
    patch_side: int

    @property
    def num_tokens(self) -> int:
        return self.rows * self.columns

    @property
    def patch_rows(self) -> int:
        return self.rows * self.merge

    @property
    def patch_columns(self) -> int:
        return self.columns * self.merge

    @property
    def height(self) -> int:
        return self.patch_rows * self.patch_side

    @property
    def width(self) -> int:
        return self.patch_columns * self.patch_side


def fit(width: int, height: int, budget: PixelBudget, *, merge: int, patch_side: int) -> PatchGrid:
    """The grid of a picture of this size: near its shape, within the budget. Sizes in pixels, over zero.

    Raises InvalidRequest if one side is over 200 times the other.
    """
    side = merge * patch_side
    if min(width, height) < side:
        scale = max(side / height, side / width)
        width, height = int(width * scale), int(height * scale)
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        ratio = max(width, height) / min(width, height)
        raise InvalidRequest(
            f"one side of the picture is {ratio:.0f} times the other, the limit is {MAX_ASPECT_RATIO}; cut it in parts"
        )
    rows, columns = round(height / side), round(width / side)
    pixels = NUM_FRAMES * rows * columns * side**2
    if pixels > budget.max_pixels:
        shrink = math.sqrt(NUM_FRAMES * height * width / budget.max_pixels)
        rows, columns = (max(1, math.floor(length / shrink / side)) for length in (height, width))
    elif pixels < budget.min_pixels:
        grow = math.sqrt(budget.min_pixels / (NUM_FRAMES * height * width))
        rows, columns = (math.ceil(length * grow / side) for length in (height, width))
    return PatchGrid(rows, columns, merge, patch_side)
