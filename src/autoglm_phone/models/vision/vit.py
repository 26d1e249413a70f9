"""GLM-4.1V's vision transformer with its merger: patches of one picture to embeddings of the decoder's width.

    patches -> embed, norm -> + learned positions -> layers (rotary positions) -> norm -> merger -> embeddings

Knows no files and no pixels. Source: github.com/huggingface/transformers, models/glm4v/modeling_glm4v.py.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.models.vision.grid import PatchGrid
from autoglm_phone.ops.attention import attention
from autoglm_phone.ops.norm import RmsNorm
from autoglm_phone.ops.rope import rope_angles, rotate_halves
from autoglm_phone.ops.swiglu import SwiGlu


class VisionTransformer(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        # A still picture is two equal frames: the weights of both are added once, when they are loaded.
        self.patch_embed = nn.Linear(3 * config.patch_side**2, config.d_model)
        self.embed_norm = RmsNorm(config.d_model, config.norm_eps)
        self.positions = nn.Parameter(torch.zeros(config.position_side**2, config.d_model))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.final_norm = RmsNorm(config.d_model, config.norm_eps)
        self.merger = Merger(config)

    def forward(self, patches: Tensor, grid: PatchGrid) -> Tensor:
        """patches (patches, 3 * side * side), those of a token together -> (tokens, d_out)."""
        row, column = patch_places(grid, patches.device)
        x = self.embed_norm(self.patch_embed(patches))  # (T, C)
        x = x + learned_positions(self.positions, self.config.position_side, row, column, grid)
        # The first half of a head's pairs turns with the row, the second with the column.
        angles = torch.cat(
            [rope_angles(place, self.config.head_size // 2, self.config.rope_theta) for place in (row, column)], dim=-1
        )
        for layer in self.layers:
            x = layer(x, angles)
        merged: Tensor = self.merger(self.final_norm(x))
        return merged


class Layer(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config.d_model, config.norm_eps)
        self.attention = Attention(config)
        self.ff_norm = RmsNorm(config.d_model, config.norm_eps)
        self.ff = SwiGlu(config.d_model, config.d_ff)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), angles)
        out: Tensor = x + self.ff(self.ff_norm(x))
        return out


class Attention(nn.Module):
    """Every patch attends to every patch of its picture."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model, bias=False)
        self.out = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 3, self.num_heads, -1).unbind(1)  # (T, H, D) each
        out: Tensor = self.out(attention(rotate_halves(q, angles), rotate_halves(k, angles), v))
        return out


class Merger(nn.Module):
    """The patches of a token become one embedding of the decoder's width."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.patches_a_token = config.merge**2
        self.downsample = nn.Linear(self.patches_a_token * config.d_model, config.d_out)
        self.proj = nn.Linear(config.d_out, config.d_out, bias=False)
        self.norm = nn.LayerNorm(config.d_out)
        self.ff = SwiGlu(config.d_out, config.d_merger_ff)

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x.reshape(len(x) // self.patches_a_token, -1))
        out: Tensor = self.ff(functional.gelu(self.norm(self.proj(x))))
        return out


def patch_places(grid: PatchGrid, device: torch.device) -> tuple[Tensor, Tensor]:
    """The row and the column of each patch in its picture, in the order of the patches: (T,) each."""
    rows = torch.arange(grid.patch_rows, device=device).view(grid.rows, 1, grid.merge, 1)
    columns = torch.arange(grid.patch_columns, device=device).view(1, grid.columns, 1, grid.merge)
    shape = (grid.rows, grid.columns, grid.merge, grid.merge)
    return rows.expand(shape).flatten(), columns.expand(shape).flatten()


def learned_positions(table: Tensor, side: int, row: Tensor, column: Tensor, grid: PatchGrid) -> Tensor:
    """table (side * side, C) as a picture, looked up where each patch's centre falls on it: (T, C), cubic, float32
    inside."""
    picture = table.view(1, side, side, -1).permute(0, 3, 1, 2).float()
    # -1 and 1 are the outer edges of the table
    across = (column + 0.5) / grid.patch_columns * 2 - 1
    down = (row + 0.5) / grid.patch_rows * 2 - 1
    places = torch.stack((across, down), dim=-1)[None, :, None]  # (1, T, 1, 2)
    found = functional.grid_sample(picture, places, mode="bicubic", padding_mode="border", align_corners=False)
    return found[0, :, :, 0].T.to(table.dtype)
