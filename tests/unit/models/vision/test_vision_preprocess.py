"""Patches of pictures against transformers' processor for Pillow."""

import numpy as np
import pytest
from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil

from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.models.vision.grid import PixelBudget, fit
from autoglm_phone.models.vision.preprocess import to_patches

CONFIG = VisionConfig()
BUDGET = PixelBudget(max_pixels=400_000)


@pytest.mark.parametrize("size", [(84, 112), (540, 1200), (333, 77), (15, 20), (1000, 900)], ids=str)
def test_patches_are_those_of_the_reference(size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    processor = Glm4vImageProcessorPil(size={"shortest_edge": BUDGET.min_pixels, "longest_edge": BUDGET.max_pixels})
    theirs = processor(pixels, return_tensors="np")
    grid = fit(width, height, BUDGET, merge=CONFIG.merge, patch_side=CONFIG.patch_side)
    assert theirs["image_grid_thw"].tolist() == [[1, grid.patch_rows, grid.patch_columns]]
    frames = theirs["pixel_values"].reshape(-1, 3, 2, 14 * 14)
    assert (frames[:, :, 0] == frames[:, :, 1]).all()
    ours = to_patches(pixels, grid, CONFIG)
    assert np.abs(ours - frames[:, :, 0].reshape(ours.shape)).max() < 1e-6
