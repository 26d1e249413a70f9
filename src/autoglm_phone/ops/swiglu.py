"""The feed-forward part of a transformer layer that gates itself. Source: Shazeer 2020 (arXiv 2002.05202)."""

from torch import Tensor, nn
from torch.nn import functional


class SwiGlu(nn.Module):
    """Half of what the first matrix gives lets the other half through to the second."""

    def __init__(self, width: int, d_ff: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * d_ff, bias=False)
        self.down = nn.Linear(d_ff, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(functional.silu(gate) * up)
        return out
