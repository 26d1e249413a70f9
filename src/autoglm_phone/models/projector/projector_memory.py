"""What a projector will take of memory, from the headers of its files. Needs no PyTorch."""

from autoglm_phone.models.projector.config import from_files
from autoglm_phone.models.projector.weight_map import map_of_files
from autoglm_phone.weights.encoder_files import EncoderFiles


def weight_bytes(files: EncoderFiles, d_in: int) -> int:
    """Raises BundleError if they hold no projector that is known."""
    return files.held_bytes(map_of_files(files, from_files(files, d_in).kind))
