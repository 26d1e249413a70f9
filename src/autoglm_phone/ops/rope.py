"""Rotary positions: each pair of numbers of a head is turned by an angle that grows with the token's position.

Which numbers make a pair differs: neighbours (0, 1), (2, 3) ... or one from each half. A turn of fewer than all
numbers leaves those behind as they are. Angles and products are float32 whatever the input type.
Source: Su et al. 2021 (arXiv 2104.09864), section 3.2.2.
"""

import torch
from torch import Tensor


def rope_angles(positions: Tensor, num_dims: int, theta: float) -> Tensor:
    """positions (...) of any number type -> angles (..., num_dims // 2), fastest first."""
    exponents = torch.arange(0, num_dims, 2, dtype=torch.float32, device=positions.device) / num_dims
    return positions.float()[..., None] * (1.0 / theta**exponents)


def rotate_pairs(x: Tensor, angles: Tensor) -> Tensor:
    """x (T, H, D), angles (T, R / 2): the first R numbers of each head turn, neighbour with neighbour."""
    turned, rest = _split(x, angles)
    return _rotated(turned[..., 0::2], turned[..., 1::2], angles, rest, interleaved=True)


def rotate_halves(x: Tensor, angles: Tensor) -> Tensor:
    """x (T, H, D), angles (T, R / 2): the first R numbers of each head turn, number i with number i + R / 2."""
    turned, rest = _split(x, angles)
    first, second = turned.chunk(2, dim=-1)
    return _rotated(first, second, angles, rest, interleaved=False)


def _split(x: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
    num_turned = 2 * angles.shape[-1]
    return x[..., :num_turned], x[..., num_turned:]


def _rotated(first: Tensor, second: Tensor, angles: Tensor, rest: Tensor, *, interleaved: bool) -> Tensor:
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]  # (T, 1, R / 2): the same for every head
    first, second = first.float(), second.float()
    new = (first * cos - second * sin, second * cos + first * sin)
    turned = torch.stack(new, dim=-1).flatten(-2) if interleaved else torch.cat(new, dim=-1)
    return torch.cat((turned.to(rest.dtype), rest), dim=-1)
