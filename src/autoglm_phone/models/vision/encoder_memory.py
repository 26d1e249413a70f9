"""What the vision encoder will take of memory, from the headers of its files: nothing is loaded. Needs no PyTorch."""

from autoglm_phone.models.vision.config import from_files
from autoglm_phone.models.vision.weight_map import map_of_files
from autoglm_phone.weights.encoder_files import FLOAT_BYTES, UNPACKED_BYTES, EncoderFiles

# Numbers in float32 that a patch passes through at once, in widths of the feed-forward part; measured.
ACTIVATION_WIDTHS = 10


def weight_bytes(files: EncoderFiles) -> int:
    """Raises BundleError if they hold no GLM-4.1V encoder."""
    return files.held_bytes(map_of_files(files, from_files(files).num_layers))


def activation_bytes(files: EncoderFiles, max_tokens: int) -> int:
    """While the largest picture is encoded. Raises BundleError as weight_bytes."""
    config = from_files(files)
    patches = max_tokens * config.merge**2
    unpacked = UNPACKED_BYTES if files.has_packed(map_of_files(files, config.num_layers)) else 0
    layers = patches * ACTIVATION_WIDTHS * config.d_ff
    # However small the picture, its peak was seen to be as much as the merger's largest matrix in float32.
    merger = 2 * config.d_merger_ff * config.d_out
    return max(layers, merger) * FLOAT_BYTES + unpacked
