"""A projector loaded from a file: an encoder's frames in, embeddings of the decoder's width out. Needs the extra
`torch`. It knows no encoder: frames are numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from autoglm_phone.models.projector.config import ProjectorConfig, from_checkpoint, from_gguf
from autoglm_phone.models.projector.stacked_mlp import StackedMlp, StackedSwiGlu
from autoglm_phone.models.projector.weight_map import checkpoint_map, gguf_map
from autoglm_phone.weights.gguf_tensors import GgufTensors
from autoglm_phone.weights.load import load_into
from autoglm_phone.weights.name_map import Floats, NameMap
from autoglm_phone.weights.tensor_map import GgufFloats

NETWORKS = {"glm_asr": StackedMlp, "ultravox": StackedSwiGlu}


class Projector:
    """Holds the weights in `dtype` on `device`; float32 numbers come out whatever these are."""

    def __init__(
        self,
        config: ProjectorConfig,
        tensors: Mapping[str, Floats],
        names: NameMap,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the config."""
        self.config = config
        self._dtype = dtype
        self._device = device
        with torch.device("meta"):  # no memory yet
            self._network = NETWORKS[config.kind](config).eval()
        load_into(self._network, tensors, names, dtype=dtype, device=device)

    @classmethod
    def of_gguf(
        cls, file: GgufTensors, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "Projector":
        """file: an mmproj with an ultravox projector. Raises BundleError if it is another, or not whole."""
        tensors = GgufFloats(file)
        config = from_gguf(file.metadata, tensors.shape)
        return cls(config, tensors, gguf_map(), dtype=dtype, device=device)

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
        return cls(from_checkpoint(settings), tensors, checkpoint_map(tensors), dtype=dtype, device=device)

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
