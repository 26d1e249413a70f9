"""GLM-4.1V's vision encoder as a module that is served: from the files of a bundle to an ImageEncoder.

The rest of this package's encoder is imported here and not at the top, since it needs PyTorch. Called by the media
process.
"""

from pathlib import Path

from autoglm_phone.core.media import Image
from autoglm_phone.core.module import Embeddings
from autoglm_phone.core.prompt import Grid
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.vision.config import from_gguf
from autoglm_phone.models.vision.encoder_memory import is_quantised
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.ops.installed import require_torch
from autoglm_phone.weights.gguf_tensors import read_tensors

CPUINFO = Path("/proc/cpuinfo")


class PictureEncoder:
    """An ImageEncoder. Not thread-safe. Raises BundleError or MissingDependency if it cannot be loaded.

    max_tokens   most embeddings of a picture: a larger one is seen at a smaller size
    threads      CPU threads of one picture
    """

    def __init__(self, mmproj: Path, *, max_tokens: int, threads: int) -> None:
        require_torch()
        import torch

        from autoglm_phone.models.vision.encoder import VisionEncoder
        from autoglm_phone.weights.tensor_map import GgufFloats

        torch.set_num_threads(threads)
        file = read_tensors(mmproj)
        config = from_gguf(file.metadata, GgufFloats(file).shape)
        self._encoder = VisionEncoder.of_gguf(
            file,
            budget=PixelBudget.of_tokens(max_tokens, config.token_side),
            dtype=torch.bfloat16 if multiplies_bf16() else torch.float32,
            in_8_bits=is_quantised(file),
        )

    def encode(self, image: Image) -> Embeddings:
        """Raises InvalidRequest if the picture is too narrow."""
        grid = self._encoder.grid(image.width, image.height)
        try:
            rows = self._encoder.encode(image.pixels)
        finally:
            return_free_memory()
        return Embeddings(rows, Grid(grid.rows, grid.columns))


def multiplies_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Has the CPU tiles for it? Without them it takes 1.7 times as long as float32 (docs/adr/0011)."""
    try:
        return "amx_bf16" in cpuinfo.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
