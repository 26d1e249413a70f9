"""How encoders compute in the media process: PyTorch's threads, and the numbers that this CPU is fastest with."""

from pathlib import Path
from typing import TYPE_CHECKING

from autoglm_phone.ops.installed import require_torch

if TYPE_CHECKING:
    import torch

CPUINFO = Path("/proc/cpuinfo")


def set_up_torch(threads: int) -> "torch.dtype":
    """The type to compute in. threads: of the whole process. Raises MissingDependency without PyTorch."""
    require_torch()
    import torch

    torch.set_num_threads(threads)
    return torch.bfloat16 if multiplies_bf16() else torch.float32


def multiplies_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Has the CPU tiles for it? Without them it takes 1.7 times as long as float32 (docs/adr/0011)."""
    try:
        return "amx_bf16" in cpuinfo.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
