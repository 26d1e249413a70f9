"""Projectors: several frames of an encoder, one after another, become one embedding of the decoder's width.

Source: github.com/huggingface/transformers, models/glmasr/modeling_glmasr.py (GlmAsrMultiModalProjector), and
huggingface.co/fixie-ai/ultravox-v0_5-llama-3_2-1b, ultravox_model.py (UltravoxProjector).
"""

from torch import Tensor, nn
from torch.nn import functional

from autoglm_phone.models.projector.config import ProjectorConfig
from autoglm_phone.ops.norm import RmsNorm

NORM_EPS = 1e-6


class StackedMlp(nn.Module):
    """GLM-ASR's."""

    def __init__(self, config: ProjectorConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_in * config.stack, config.d_hidden)
        self.down = nn.Linear(config.d_hidden, config.d_out)

    def forward(self, stacked: Tensor) -> Tensor:
        """stacked (tokens, stack * d_in) -> (tokens, d_out)."""
        out: Tensor = self.down(functional.gelu(self.up(stacked)))
        return out


class StackedSwiGlu(nn.Module):
    """Ultravox's: the second half of what the first matrix gives lets the first half through."""

    def __init__(self, config: ProjectorConfig) -> None:
        super().__init__()
        self.norm = RmsNorm(config.d_in * config.stack, NORM_EPS)
        self.up = nn.Linear(config.d_in * config.stack, config.d_hidden, bias=False)
        self.norm_mid = RmsNorm(config.d_hidden // 2, NORM_EPS)
        self.down = nn.Linear(config.d_hidden // 2, config.d_out, bias=False)

    def forward(self, stacked: Tensor) -> Tensor:
        """stacked (tokens, stack * d_in) -> (tokens, d_out)."""
        up, gate = self.up(self.norm(stacked)).chunk(2, dim=-1)
        out: Tensor = self.down(self.norm_mid(functional.silu(gate) * up))
        return out
