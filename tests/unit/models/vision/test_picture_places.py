"""A place on the screen, from 0 to 999 on each axis, is the same place whatever size the picture is seen at."""

from typing import Any

import numpy as np
import pytest

from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.models.vision.grid import PatchGrid, PixelBudget, fit
from autoglm_phone.models.vision.preprocess import to_patches

CONFIG = VisionConfig()
Floats = np.ndarray[Any, np.dtype[np.float32]]


def seen(patches: Floats, grid: PatchGrid) -> Floats:
    """The picture as it is seen, (height, width): the way back from patches."""
    merge, side = CONFIG.merge, CONFIG.patch_side
    cut = patches.reshape(grid.rows, grid.columns, merge, merge, 3, side, side)
    picture: Floats = cut.transpose(0, 2, 5, 1, 3, 6, 4).reshape(grid.height, grid.width, 3).sum(-1)
    picture -= picture.min()
    return picture


@pytest.mark.parametrize("tokens", [16, 120, 480, 3000])
@pytest.mark.parametrize(
    ("width", "height"), [(1080, 2400), (720, 1600), (540, 1200), (1440, 3200), (2400, 1080), (300, 301), (1000, 90)]
)
@pytest.mark.parametrize("place", [(500, 500), (80, 910), (930, 60)])
def test_a_mark_is_seen_where_it_is(tokens: int, width: int, height: int, place: tuple[int, int]) -> None:
    grid = fit(width, height, PixelBudget.of_tokens(tokens, CONFIG.token_side), merge=2, patch_side=14)
    x, y = place[0] * width / 1000, place[1] * height / 1000
    across, down = np.abs(np.arange(width) + 0.5 - x), np.abs(np.arange(height) + 0.5 - y)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[np.ix_(down < height / 20, across < width / 20)] = 255
    picture = seen(to_patches(pixels, grid, CONFIG), grid)
    seen_x = picture.sum(0) @ (np.arange(grid.width) + 0.5) / picture.sum() / grid.width * 1000
    seen_y = picture.sum(1) @ (np.arange(grid.height) + 0.5) / picture.sum() / grid.height * 1000
    # A mark of whole pixels is up to half a pixel from the place that it was made for.
    assert abs(seen_x - place[0]) < 1 + 500 / width + 100 / grid.width
    assert abs(seen_y - place[1]) < 1 + 500 / height + 100 / grid.height
