"""A GLM-4 decoder loaded from a file. Needs the extra `torch`.

One sequence, no batch: the reference that faster paths are compared with, not a server.
"""

from collections.abc import Mapping
from typing import Any

import torch

from autoglm_phone.models.text.config import DecoderConfig, from_checkpoint, from_gguf
from autoglm_phone.models.text.glm4 import Glm4Decoder
from autoglm_phone.models.text.weight_map import checkpoint_map, gguf_map
from autoglm_phone.weights.gguf_tensors import GgufTensors
from autoglm_phone.weights.load import load_into
from autoglm_phone.weights.name_map import Floats, NameMap
from autoglm_phone.weights.tensor_map import GgufFloats


def load_decoder(
    config: DecoderConfig,
    tensors: Mapping[str, Floats],
    names: NameMap,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Glm4Decoder:
    """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the config."""
    with torch.device("meta"):  # no memory yet
        decoder = Glm4Decoder(config).eval()
    load_into(decoder, tensors, names, dtype=dtype, device=device)
    return decoder


def decoder_of_gguf(
    file: GgufTensors, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Glm4Decoder:
    """file: llama.cpp's glm4. Raises BundleError if it is another, or not whole."""
    tensors = GgufFloats(file)
    config = from_gguf(file.metadata, tensors.shape)
    return load_decoder(config, tensors, gguf_map(config), dtype=dtype, device=device)


def decoder_of_checkpoint(
    settings: Mapping[str, Any],
    tensors: Mapping[str, Floats],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Glm4Decoder:
    """settings: the object in config.json. Raises BundleError if the decoder is not there, or not all of it."""
    config = from_checkpoint(settings)
    return load_decoder(config, tensors, checkpoint_map(config, tensors), dtype=dtype, device=device)
