"""A linear layer whose weights are held in 8 bits, and multiplied in the type of the activations.

On a CPU the products take far longer than unpacking, so this costs little time and saves three quarters of float32.
The reference is the linear layer that it is made from.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUP = 32  # columns that share a scale, as in GGUF's Q8_0: weights that come from such a file stay what they are
UNPACKED_NUMBERS = 16 << 20  # most that are unpacked at once: 64 MB in float32
MIN_NUMBERS = 1 << 20  # smaller matrices stay as they are


class EightBitLinear(nn.Module):
    """x (T, in) -> (T, out). `weight` is there until `pack` has been called, which gives it its numbers."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight: Tensor | None = linear.weight
        self.bias = linear.bias
        self.codes = torch.empty(0, dtype=torch.int8)
        self.scales = torch.empty(0, dtype=torch.float16)

    def pack(self, weight: Tensor) -> None:
        """weight (out, in), in a multiple of GROUP."""
        num_rows = max(1, UNPACKED_NUMBERS // weight.shape[1])
        packed = [_packed(rows) for rows in _runs(weight, num_rows)]
        self.codes, self.scales = (torch.cat(parts) for parts in zip(*packed, strict=True))
        self.weight = None

    def forward(self, x: Tensor) -> Tensor:
        products = [functional.linear(x, weight) for weight in self._unpacked(x.dtype)]
        out = products[0] if len(products) == 1 else torch.cat(products, dim=-1)
        return out if self.bias is None else out + self.bias

    def _unpacked(self, dtype: torch.dtype) -> Iterator[Tensor]:
        """Runs of rows (rows, in)."""
        num_rows = max(1, UNPACKED_NUMBERS // self.codes[0].numel())
        for codes, scales in zip(_runs(self.codes, num_rows), _runs(self.scales, num_rows), strict=True):
            yield (codes.to(dtype) * scales.to(dtype)).flatten(1)


def _runs(tensor: Tensor, num_rows: int) -> Iterator[Tensor]:
    return (tensor[start : start + num_rows] for start in range(0, len(tensor), num_rows))


def _packed(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(out, in) -> codes (out, groups, GROUP), scales (out, groups, 1)."""
    groups = weight.float().view(len(weight), -1, GROUP)
    scales = groups.abs().amax(dim=-1, keepdim=True) / 127
    codes = (groups / scales.clamp(min=torch.finfo(torch.float32).tiny)).round().to(torch.int8)
    return codes, scales.half()


def hold_in_8_bits(network: nn.Module) -> None:
    """Put such a layer in the place of each large linear one, to be packed as the weights are loaded."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and _is_worth_it(child.in_features, child.out_features):
                setattr(parent, name, EightBitLinear(child))


def _is_worth_it(num_in: int, num_out: int) -> bool:
    return num_in % GROUP == 0 and num_in * num_out >= MIN_NUMBERS
