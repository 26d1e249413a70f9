"""The vision encoder: pixels in, embeddings of the decoder's width out. Needs the extra `torch`.

Blocking, and one picture at a time: the media process calls it off its event loop.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoglm_phone.core.module import Checkpoint, go_on
from autoglm_phone.models.network import FormOf, as_computed, load_network
from autoglm_phone.models.vision.config import VisionConfig, from_checkpoint, from_files
from autoglm_phone.models.vision.encoder_work import num_operations
from autoglm_phone.models.vision.grid import PatchGrid, PixelBudget, fit
from autoglm_phone.models.vision.preprocess import to_patches
from autoglm_phone.models.vision.vit import VisionTransformer
from autoglm_phone.models.vision.weight_map import checkpoint_map, map_of_files
from autoglm_phone.ops.checkpoints import before_each
from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import Floats, NameMap


class VisionEncoder:
    """Computes in `dtype` on `device` and holds the weights in it, or packed; float32 numbers come out."""

    def __init__(
        self,
        config: VisionConfig,
        tensors: Mapping[str, Floats],
        names: NameMap,
        *,
        budget: PixelBudget,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        form_of: FormOf = as_computed,
    ) -> None:
        """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the config."""
        self.config = config
        self.budget = budget
        self._dtype = dtype
        self._device = device
        self._network = load_network(
            lambda: VisionTransformer(config), tensors, names, dtype=dtype, device=device, form_of=form_of
        )

    @classmethod
    def of_files(
        cls,
        files: EncoderFiles,
        *,
        budget: PixelBudget,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "VisionEncoder":
        """Raises BundleError if they hold no GLM-4.1V encoder, or not all of it."""
        config = from_files(files)
        names = map_of_files(files, config.num_layers)
        form_of = files.tensors.form
        return cls(config, files.tensors, names, budget=budget, dtype=dtype, device=device, form_of=form_of)

    @classmethod
    def of_checkpoint(
        cls,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Floats],
        *,
        budget: PixelBudget,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "VisionEncoder":
        """settings: the object in config.json. Raises BundleError if the encoder is not there, or not all of it."""
        config = from_checkpoint(settings)
        names = checkpoint_map(config.num_layers, tensors)
        return cls(config, tensors, names, budget=budget, dtype=dtype, device=device)

    def grid(self, width: int, height: int) -> PatchGrid:
        """How a picture of this size will be seen. Raises InvalidRequest if it is too narrow."""
        return fit(width, height, self.budget, merge=self.config.merge, patch_side=self.config.patch_side)

    def num_tokens(self, width: int, height: int) -> int:
        """Exactly as many as `encode` gives. Raises InvalidRequest if the picture is too narrow."""
        return self.grid(width, height).num_tokens

    def num_operations(self, width: int, height: int) -> float:
        """Multiplications and additions of `encode`. Raises InvalidRequest as `grid`."""
        return num_operations(self.config, self.num_tokens(width, height))

    def encode(self, pixels: NDArray[np.uint8], checkpoint: Checkpoint = go_on) -> Floats:
        """pixels (height, width, 3) RGB -> (tokens, d_out), row by row. Raises InvalidRequest as `grid`.

        checkpoint: called before each layer.
        """
        grid = self.grid(pixels.shape[1], pixels.shape[0])
        patches = torch.from_numpy(to_patches(pixels, grid, self.config))
        with torch.inference_mode(), before_each(self._network.layers, checkpoint):
            embeddings = self._network(patches.to(self._device, self._dtype), grid)
        out: Floats = embeddings.float().cpu().numpy()  # waits for the device: the numbers leave it here
        return out
