"""A linear layer whose weights are held in 8 or 4 bits, and multiplied in the type of the activations.

On a CPU the products of many rows take far longer than unpacking, so this costs little time there. The reference is
the linear layer that it is made from, with the weights that come out of unpacking.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoglm_phone.core.packed_form import PackedForm

# Most that are unpacked at once: 16 MB in float32. More than 32 MB are mapped anew by glibc each time, and to touch new
# pages takes longer than to unpack.
UNPACKED_NUMBERS = 4 << 20


class PackedLinear(nn.Module):
    """x (T, in) -> (T, out). `weight` is there until `pack` has been called, which gives it its numbers."""

    def __init__(self, linear: nn.Linear, form: PackedForm) -> None:
        super().__init__()
        self.form = form
        self.num_rows = max(1, UNPACKED_NUMBERS // linear.in_features)  # of a run
        self.weight: Tensor | None = linear.weight
        self.bias = linear.bias
        self.codes = torch.empty(0, dtype=torch.int8)
        self.scales = torch.empty(0, dtype=torch.float16)

    def pack(self, weight: Tensor) -> None:
        """weight (out, in), in a multiple of the group."""
        packed = [self._packed(rows) for rows in _runs(weight, self.num_rows)]
        self.codes, self.scales = (torch.cat(parts) for parts in zip(*packed, strict=True))
        self.weight = None

    def forward(self, x: Tensor) -> Tensor:
        products = [functional.linear(x, weight) for weight in self.unpacked(x.dtype)]
        out = products[0] if len(products) == 1 else torch.cat(products, dim=-1)
        return out if self.bias is None else out + self.bias

    def unpacked(self, dtype: torch.dtype) -> Iterator[Tensor]:
        """Runs of rows (rows, in)."""
        for codes, scales in zip(_runs(self.codes, self.num_rows), _runs(self.scales, self.num_rows), strict=True):
            numbers = codes if self.form.bits == 8 else _double(codes)
            yield numbers.to(dtype).mul_(scales.to(dtype)).flatten(1)

    def _packed(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(out, in) -> codes (out, groups, group), of 4 bits two in a byte, and scales (out, groups, 1)."""
        groups = weight.float().view(len(weight), -1, self.form.group)
        largest = groups.gather(-1, groups.abs().argmax(dim=-1, keepdim=True))
        scales = (largest.abs() / 127 if self.form.bits == 8 else largest / -8).half()
        # A group of zeros has a scale of zero; whatever is divided by one instead is zero.
        codes = (groups / torch.where(scales == 0, 1, scales).float()).round()
        if self.form.bits == 8:
            return codes.clamp(-127, 127).to(torch.int8), scales
        return _halve(codes.clamp(-8, 7)), scales


def hold_packed(network: nn.Module, form: PackedForm) -> None:
    """Put such a layer in the place of each linear one inside the network that has whole groups, to be packed as the
    weights are loaded."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and fits(child, form):
                setattr(parent, name, PackedLinear(child, form))


def fits(linear: nn.Linear, form: PackedForm) -> bool:
    return linear.in_features % form.group == 0


def _runs(tensor: Tensor, num_rows: int) -> Iterator[Tensor]:
    return (tensor[start : start + num_rows] for start in range(0, len(tensor), num_rows))


def _halve(codes: Tensor) -> Tensor:
    """The even column in the low half of a byte, each code 8 higher."""
    shifted = (codes + 8).to(torch.uint8)
    return shifted[..., ::2] | (shifted[..., 1::2] << 4)


def _double(packed: Tensor) -> Tensor:
    """(..., N) bytes -> (..., 2 N) int8 codes."""
    return torch.stack((packed & 15, packed >> 4), dim=-1).flatten(-2).to(torch.int8) - 8
