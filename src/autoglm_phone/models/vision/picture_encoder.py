"""GLM-4.1V's vision encoder as a module that is served: from the files of a bundle to an ImageEncoder.

The rest of this package's encoder is imported here and not at the top, since it needs PyTorch. Called by the media
process.
"""

from collections.abc import Sequence
from pathlib import Path

from autoglm_phone.core.media import Image
from autoglm_phone.core.module import Checkpoint, Embeddings, Mark, go_on
from autoglm_phone.core.prompt import Grid
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.torch_on_cpu import set_up_torch
from autoglm_phone.models.vision.config import from_files
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.weights.encoder_files import open_encoder


class PictureEncoder:
    """An ImageEncoder. Not thread-safe. Raises BundleError or MissingDependency if it cannot be loaded.

    files        an mmproj, or a config.json with safetensors
    max_tokens   most embeddings of a picture: a larger one is seen at a smaller size
    threads      CPU threads of one picture
    mark         what it was trained to stand between, if that is not what the decoder's template writes
    """

    def __init__(self, files: Sequence[Path], *, max_tokens: int, threads: int, mark: Mark | None = None) -> None:
        dtype = set_up_torch(threads)
        from autoglm_phone.models.vision.encoder import VisionEncoder

        opened = open_encoder(files)
        budget = PixelBudget.of_tokens(max_tokens, from_files(opened).token_side)
        self._encoder = VisionEncoder.of_files(opened, budget=budget, dtype=dtype)
        self._mark = mark
        return_free_memory()  # of weights in float32

    def num_operations(self, image: Image) -> float:
        """Raises InvalidRequest if the picture is too narrow."""
        return self._encoder.num_operations(image.width, image.height)

    def encode(self, image: Image, checkpoint: Checkpoint = go_on) -> Embeddings:
        """Raises InvalidRequest if the picture is too narrow."""
        grid = self._encoder.grid(image.width, image.height)
        try:
            rows = self._encoder.encode(image.pixels, checkpoint)
        finally:
            return_free_memory()
        return Embeddings(rows, Grid(grid.rows, grid.columns), self._mark)
