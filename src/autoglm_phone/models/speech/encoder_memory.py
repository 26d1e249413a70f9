"""What a speech encoder will take of memory, from the headers of its files: nothing is loaded. Needs no PyTorch."""

from autoglm_phone.models.speech.config import from_files
from autoglm_phone.models.speech.weight_map import map_of_files
from autoglm_phone.weights.encoder_files import FLOAT_BYTES, UNPACKED_BYTES, EncoderFiles

# Numbers in float32 that a frame passes through at once, in widths of the feed-forward part; measured.
ACTIVATION_WIDTHS = 4
# The spectrum of 30 s before it is one: windows of samples, in double precision.
LOG_MEL_BYTES = 60_000_000


def weight_bytes(files: EncoderFiles) -> int:
    """Raises BundleError if they hold no encoder that is known."""
    return files.held_bytes(map_of_files(files, from_files(files)))


def activation_bytes(files: EncoderFiles) -> int:
    """While 30 s are encoded: longer sounds are, chunk by chunk. Raises BundleError as weight_bytes."""
    config = from_files(files)
    unpacked = UNPACKED_BYTES if files.has_packed(map_of_files(files, config)) else 0
    return config.max_positions * ACTIVATION_WIDTHS * config.d_ff * FLOAT_BYTES + LOG_MEL_BYTES + unpacked
