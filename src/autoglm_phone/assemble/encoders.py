"""Modules of kind `encoder`: what they take, and whether the decoder beside them can use what they give."""

from collections.abc import Mapping
from typing import TypeGuard

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.memory import MemoryPart
from autoglm_phone.core.module import Modality
from autoglm_phone.models.vision.encoder_memory import activation_bytes, weight_bytes
from autoglm_phone.ops.installed import require_torch
from autoglm_phone.weights.gguf_file import read_metadata
from autoglm_phone.weights.gguf_tensors import GgufTensors, read_tensors
from autoglm_phone.weights.store import LocatedModule

# PyTorch's libraries, once it has computed something: resident, and as addresses with the kernels that it compiles and
# the heaps of its threads. Measured with 2.13 for CPUs.
PYTORCH_BYTES, PYTORCH_ADDRESSES = 230_000_000, 4 << 30


def is_encoder(module: LocatedModule | None) -> TypeGuard[LocatedModule]:
    return module is not None and module.spec.kind == "encoder"


def encoder_parts(module: LocatedModule, image_tokens: int) -> tuple[MemoryPart, ...]:
    """Raises BundleError if the file holds no encoder that is known."""
    file = _mmproj(module)
    return (
        MemoryPart("media", "encoder weights", weight_bytes(file)),
        MemoryPart("media", "PyTorch", PYTORCH_BYTES),
        MemoryPart("media", "encoder activations", activation_bytes(file, image_tokens), "growing"),
    )


def encoder_addresses(module: LocatedModule, image_tokens: int) -> int:
    """Bytes of address space: the file is mapped beside what is made of it. Raises BundleError as encoder_parts."""
    file = _mmproj(module)
    return module.spec.size_bytes + weight_bytes(file) + 2 * activation_bytes(file, image_tokens) + PYTORCH_ADDRESSES


def _mmproj(module: LocatedModule) -> GgufTensors:
    [path] = module.files
    return read_tensors(path)


def check_encoders(located: Mapping[Modality, LocatedModule]) -> None:
    """Raises MissingDependency without PyTorch, and BundleError where the decoder knows only one dimension.

    A picture's embeddings have rows and columns.
    """
    if not is_encoder(located.get("vision")):
        return
    require_torch()
    [decoder] = located["text"].files
    metadata = read_metadata(decoder)
    key = f"{metadata.get('general.architecture')}.rope.dimension_sections"
    sections = metadata.get(key)
    if not isinstance(sections, list) or not all(sections[:3]):
        raise BundleError(
            f"{decoder.name} has no {key}, which pictures need: it was converted for text alone; convert it again, or "
            "leave the encoder out with --no-vision"
        )
