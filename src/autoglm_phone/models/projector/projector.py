"""A projector loaded from a file: an encoder's frames in, embeddings of the decoder's width out. Needs the extra
`torch`. It knows no encoder: frames are numbers.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from autoglm_phone.models.network import FormOf, as_computed, load_network
from autoglm_phone.models.projector.config import ProjectorConfig, from_checkpoint, from_files
from autoglm_phone.models.projector.stacked_mlp import StackedMlp, StackedSwiGlu
from autoglm_phone.models.projector.weight_map import checkpoint_map, map_of_files
from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import Floats, NameMap

NETWORKS = {"glm_asr": StackedMlp, "ultravox": StackedSwiGlu}


class Projector:
    """Computes in `dtype` on `device` and holds the weights in it, or packed; float32 numbers come out."""

    def __init__(
        self,
        config: ProjectorConfig,
        tensors: Mapping[str, Floats],
        names: NameMap,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        form_of: FormOf = as_computed,
    ) -> None:
        """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the config."""
        self.config = config
        self._dtype = dtype
        self._device = device
        make: Callable[[], nn.Module] = partial(NETWORKS[config.kind], config)
        self._network = load_network(make, tensors, names, dtype=dtype, device=device, form_of=form_of)

    @classmethod
    def of_files(
        cls, files: EncoderFiles, *, d_in: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "Projector":
        """d_in: as the encoder gives it. Raises BundleError if they hold no projector that is known, or not all of
        it."""
        config = from_files(files, d_in)
        names, form_of = map_of_files(files, config.kind), files.tensors.form
        return cls(config, files.tensors, names, dtype=dtype, device=device, form_of=form_of)

    @classmethod
    def of_checkpoint(
        cls,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Floats],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "Projector":
        """settings: the object in config.json of GLM-ASR. Raises BundleError if it is another, or not whole."""
        config = from_checkpoint(settings)
        return cls(config, tensors, checkpoint_map(config.kind, tensors), dtype=dtype, device=device)

    def num_tokens(self, num_frames: int) -> int:
        """Exactly as many as `project` gives."""
        return self.config.num_tokens(num_frames)

    def project(self, frames: Floats) -> Floats:
        """frames (num_frames, d_in) -> (tokens, d_out)."""
        stacked = np.zeros((self.num_tokens(len(frames)) * self.config.stack, self.config.d_in), np.float32)
        taken = frames[: len(stacked)]
        stacked[: len(taken)] = taken
        rows = torch.from_numpy(stacked.reshape(-1, self.config.stack * self.config.d_in))
        with torch.inference_mode():
            embeddings = self._network(rows.to(self._device, self._dtype))
        out: Floats = embeddings.float().cpu().numpy()  # waits for the device: the numbers leave it here
        return out
