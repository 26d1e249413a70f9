"""Whisper and GLM-ASR of transformers in tiny configurations with random float32 weights: references of our modules."""

from functools import cache
from typing import Any

import numpy as np
import torch
from transformers import GlmAsrConfig, GlmAsrForConditionalGeneration, PreTrainedModel, WhisperConfig, WhisperModel

Floats = np.ndarray[Any, np.dtype[np.float32]]

WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "vocab_size": 64,
    "num_mel_bins": 80,
    "d_model": 48,
    "encoder_layers": 3,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_layers": 1,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "decoder_start_token_id": 1,
}
GLM_ASR: dict[str, Any] = {
    "model_type": "glmasr",
    "audio_token_id": 60,
    "audio_config": {
        "model_type": "glmasr_encoder",
        "hidden_size": 48,
        "intermediate_size": 192,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_mel_bins": 128,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
    },
    "text_config": {
        "model_type": "llama",
        "vocab_size": 64,
        "hidden_size": 40,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
}


@cache
def whisper() -> WhisperModel:
    return _random(WhisperModel._from_config(WhisperConfig(**WHISPER), attn_implementation="eager"))


@cache
def glm_asr() -> GlmAsrForConditionalGeneration:
    config = GlmAsrConfig(**GLM_ASR)
    return _random(GlmAsrForConditionalGeneration._from_config(config, attn_implementation="eager"))


def tensors_of(model: PreTrainedModel) -> dict[str, Floats]:
    """By the names of a checkpoint."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def _random(model: PreTrainedModel) -> Any:
    """Random norms too: those of ones would hide one that is left out."""
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            offset = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(offset + 0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()
