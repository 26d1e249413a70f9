"""A picture as the vision encoder takes it: resized, scaled, cut into patches. numpy and Pillow only.

Source: github.com/huggingface/transformers, models/glm4v/image_processing_pil_glm4v.py.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.models.vision.grid import PatchGrid

Floats = np.ndarray[Any, np.dtype[np.float32]]
NUM_LEVELS = 256
NUM_CHANNELS = 3


def to_patches(pixels: NDArray[np.uint8], grid: PatchGrid, config: VisionConfig) -> Floats:
    """pixels (height, width, 3) RGB -> (patches, 3 * side * side), the patches of one token after another.

    Only one of the two equal frames is made: vit.py has their weights in one.
    """
    if pixels.shape[:2] != (grid.height, grid.width):
        size = (grid.width, grid.height)
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    side, merge = grid.patch_side, grid.merge
    cut = pixels.reshape(grid.rows, merge, side, grid.columns, merge, side, NUM_CHANNELS)
    # row and column of the token, row and column of the patch in it, channel, row and column of the pixel
    patches = cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, NUM_CHANNELS, side * side)
    out = np.empty(patches.shape, np.float32)
    for channel, levels in enumerate(_scaled_levels(config)):
        out[:, channel] = levels[patches[:, channel]]
    return out.reshape(len(patches), -1)


def _scaled_levels(config: VisionConfig) -> Floats:
    """(3, 256): what each value of a pixel becomes in each channel; a table, as there are few values."""
    levels = np.arange(NUM_LEVELS, dtype=np.float32) / np.float32(NUM_LEVELS - 1)
    mean, std = (np.array(numbers, np.float32)[:, None] for numbers in (config.mean, config.std))
    scaled: Floats = (levels - mean) / std
    return scaled
