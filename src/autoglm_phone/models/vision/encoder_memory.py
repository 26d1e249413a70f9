"""What the vision encoder will take of memory, from the header of its file: nothing is loaded. Needs no PyTorch."""

import math
import re

from autoglm_phone.models.vision.config import from_gguf
from autoglm_phone.weights.gguf_tensors import GgufTensors, TensorEntry

FLOAT_BYTES = 4
# As in ops/packed_linear.py: codes of a byte, and a scale of two bytes for 32 of them.
GROUP, SCALE_BYTES, MIN_PACKED_NUMBERS = 32, 2, 1 << 20
# Two runs of rows, the one being unpacked and the one being multiplied.
UNPACKED_BYTES = 2 * 16 * FLOAT_BYTES << 20
# Numbers in float32 that a patch passes through at once, in widths of the feed-forward part; measured.
ACTIVATION_WIDTHS = 10
_VISION = re.compile(r"v\.(?!boi$|eoi$)|mm\.(?!a\.)")  # the others belong to a speech encoder


def is_quantised(file: GgufTensors) -> bool:
    """Weights of such a file are held in 8 bits, those of others in float32."""
    return any(entry.type.block_len > 1 for entry in _entries(file))


def weight_bytes(file: GgufTensors) -> int:
    """file: an mmproj."""
    in_8_bits = is_quantised(file)
    return sum(_held_bytes(entry, in_8_bits=in_8_bits) for entry in _entries(file))


def activation_bytes(file: GgufTensors, max_tokens: int) -> int:
    """While the largest picture is encoded. Raises BundleError if the file holds no GLM-4.1V encoder."""
    config = from_gguf(file.metadata, lambda name: file.entries[name].shape)
    patches = max_tokens * config.merge**2
    unpacked = UNPACKED_BYTES if is_quantised(file) else 0
    return patches * ACTIVATION_WIDTHS * config.d_ff * FLOAT_BYTES + unpacked


def _entries(file: GgufTensors) -> list[TensorEntry]:
    return [entry for entry in file.entries.values() if _VISION.match(entry.name)]


def _held_bytes(entry: TensorEntry, *, in_8_bits: bool) -> int:
    columns = math.prod(entry.shape[1:])
    is_packed = in_8_bits and entry.num_elements >= MIN_PACKED_NUMBERS and columns % GROUP == 0
    return entry.num_elements * (GROUP + SCALE_BYTES) // GROUP if is_packed else entry.num_elements * FLOAT_BYTES
