"""Root mean square normalisation. Source: Zhang and Sennrich 2019 (arXiv 1910.07467)."""

import torch
from torch import Tensor, nn


class RmsNorm(nn.Module):
    """The mean of squares is taken in float32 whatever the input type; the weight multiplies what was cast back."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x32 = x.float()
        normed: Tensor = x32 * torch.rsqrt(x32.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(x.dtype)
