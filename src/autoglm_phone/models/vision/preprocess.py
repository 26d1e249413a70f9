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
LARGEST = 255  # value of a pixel


def to_patches(pixels: NDArray[np.uint8], grid: PatchGrid, config: VisionConfig) -> Floats:
    """pixels (height, width, 3) RGB -> (patches, 3 * side * side), the patches of one token after another.

    Only one of the two equal frames is made: vit.py has their weights in one.
    """
    if pixels.shape[:2] != (grid.height, grid.width):
        size = (grid.width, grid.height)
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    mean, std = (np.array(numbers, np.float32)[:, None, None] for numbers in (config.mean, config.std))
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)  # (3, height, width)
    planes /= LARGEST
    planes -= mean
    planes /= std
    side, merge = grid.patch_side, grid.merge
    cut = planes.reshape(len(planes), grid.rows, merge, side, grid.columns, merge, side)
    # row and column of the token, row and column of the patch in it, channel, row and column of the pixel
    return cut.transpose(1, 4, 2, 5, 0, 3, 6).reshape(grid.num_tokens * merge**2, -1)
