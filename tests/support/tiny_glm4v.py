"""GLM-4.1V of transformers in a tiny configuration with random float32 weights: the reference of our modules.

The proportions that matter are kept: several heads and layers, grouped keys, a merger wider than the encoder, learned
positions on a square that no tested picture has.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration

Floats = np.ndarray[Any, np.dtype[np.float32]]

IMAGE_TOKEN = 90
SETTINGS: dict[str, Any] = {
    "architectures": ["Glm4vForConditionalGeneration"],
    "image_token_id": IMAGE_TOKEN,
    "text_config": {
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.5,
            "mrope_section": [1, 1, 2],
        },
    },
    "vision_config": {
        "depth": 3,
        "hidden_size": 48,
        "num_heads": 4,
        "out_hidden_size": 64,
        "intermediate_size": 112,
        "image_size": 84,
        "patch_size": 14,
        "rms_norm_eps": 1e-5,
    },
}


@cache
def reference() -> Glm4vForConditionalGeneration:
    """Random norms too: those of ones would hide one that is left out. Matrices neither amplify nor damp much, as
    trained ones: else rounding grows from layer to layer."""
    model = Glm4vForConditionalGeneration._from_config(Glm4vConfig(**SETTINGS), attn_implementation="eager")
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            offset = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(offset + 0.15 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@cache
def tensors() -> dict[str, Floats]:
    """By the names of a checkpoint."""
    return {name: tensor.numpy() for name, tensor in reference().state_dict().items()}


def relative_error(ours: Floats, theirs: Floats) -> float:
    """The largest difference, measured by the largest number."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
