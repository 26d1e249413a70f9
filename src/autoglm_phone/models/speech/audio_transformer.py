"""Whisper's encoder, with learned positions or, as in GLM-ASR, rotary ones: log-mel frames to frames of the model's
width, two for one.

    frames -> two convolutions -> (+ learned positions) -> layers (or rotary positions) -> norm

Knows no files and no samples.
Source: github.com/huggingface/transformers, models/whisper/modeling_whisper.py and models/glmasr/modeling_glmasr.py.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoglm_phone.models.speech.config import SpeechConfig
from autoglm_phone.ops.attention import attention
from autoglm_phone.ops.rope import rope_angles, rotate_halves


class AudioTransformer(nn.Module):
    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv1d(config.num_mels, config.d_model, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, kernel_size=3, stride=2, padding=1)
        is_learned = config.rotary_size is None
        self.positions = nn.Parameter(torch.zeros(config.max_positions, config.d_model)) if is_learned else None
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, mel: Tensor) -> Tensor:
        """mel (num_mels, frames), at most 2 * max_positions -> (frames / 2, C). Frames attend to all of the sound."""
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).T  # (T, C)
        if self.positions is not None:
            x = x + self.positions[: len(x)]
        angles = self._angles(len(x), x.device)
        for layer in self.layers:
            x = layer(x, angles)
        normed: Tensor = self.norm(x)
        return normed

    def _angles(self, num_frames: int, device: torch.device) -> Tensor | None:
        if self.config.rotary_size is None:
            return None
        positions = torch.arange(num_frames, device=device)
        return rope_angles(positions, self.config.rotary_size, self.config.rope_theta)


class Layer(nn.Module):
    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model)
        self.attention = Attention(config)
        self.ff_norm = nn.LayerNorm(config.d_model)
        self.up = nn.Linear(config.d_model, config.d_ff)
        self.down = nn.Linear(config.d_ff, config.d_model)

    def forward(self, x: Tensor, angles: Tensor | None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), angles)
        out: Tensor = x + self.down(functional.gelu(self.up(self.ff_norm(x))))
        return out


class Attention(nn.Module):
    """The checkpoints have no bias on keys; it is zero here, so that one matrix makes all three."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor, angles: Tensor | None) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 3, self.num_heads, -1).unbind(1)  # (T, H, D) each
        if angles is not None:
            q, k = rotate_halves(q, angles), rotate_halves(k, angles)
        out: Tensor = self.out(attention(q, k, v))
        return out
