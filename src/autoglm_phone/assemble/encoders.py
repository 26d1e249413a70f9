"""Modules of kind `encoder`: what they take, and whether the decoder beside them can use what they give."""

from collections.abc import Mapping
from typing import TypeGuard

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.memory import MemoryPart
from autoglm_phone.core.module import Modality
from autoglm_phone.models.projector import projector_memory
from autoglm_phone.models.speech import config as speech_config
from autoglm_phone.models.speech import encoder_memory as speech_memory
from autoglm_phone.models.vision import encoder_memory as vision_memory
from autoglm_phone.ops.installed import require_torch
from autoglm_phone.text.chat_template import ChatTemplate
from autoglm_phone.weights.encoder_files import EncoderFiles, open_encoder
from autoglm_phone.weights.gguf_file import read_metadata
from autoglm_phone.weights.store import LocatedModule

# PyTorch's libraries, once it has computed something: resident, and as addresses with the kernels that it compiles and
# the heaps of its threads. Measured with 2.13 for CPUs.
PYTORCH_BYTES, PYTORCH_ADDRESSES = 230_000_000, 4 << 30

Modules = Mapping[Modality, LocatedModule]


def is_encoder(module: LocatedModule | None) -> TypeGuard[LocatedModule]:
    return module is not None and module.spec.kind == "encoder"


def encoders_of(modules: Modules) -> dict[Modality, LocatedModule]:
    return {modality: module for modality, module in modules.items() if is_encoder(module)}


def encoder_parts(encoders: Modules, image_tokens: int) -> tuple[MemoryPart, ...]:
    """encoders: at least one. Raises BundleError if the files of one hold no encoder that is known."""
    parts = [MemoryPart("media", "PyTorch", PYTORCH_BYTES)]
    for modality, module in encoders.items():
        weights, activations = _sizes(modality, open_encoder(module.files), image_tokens)
        parts += [
            MemoryPart("media", f"{modality} encoder weights", weights),
            MemoryPart("media", f"{modality} encoder activations", activations, "growing"),
        ]
    return tuple(parts)


def encoder_addresses(encoders: Modules, image_tokens: int) -> int:
    """Bytes of address space: files are mapped beside what is made of them. Raises BundleError as encoder_parts."""
    addresses = PYTORCH_ADDRESSES if encoders else 0
    for modality, module in encoders.items():
        weights, activations = _sizes(modality, open_encoder(module.files), image_tokens)
        addresses += module.spec.size_bytes + weights + 2 * activations
    return addresses


def _sizes(modality: Modality, files: EncoderFiles, image_tokens: int) -> tuple[int, int]:
    """Bytes of the weights, and of what is computed from them at most."""
    if modality == "vision":
        return vision_memory.weight_bytes(files), vision_memory.activation_bytes(files, image_tokens)
    projector = projector_memory.weight_bytes(files, speech_config.from_files(files).d_model)
    return speech_memory.weight_bytes(files) + projector, speech_memory.activation_bytes(files)


def check_encoders(located: Modules) -> None:
    """Raises MissingDependency without PyTorch, and BundleError where the decoder knows only one dimension.

    A picture's embeddings have rows and columns; a sound's come one after the other, as text does.
    """
    if encoders_of(located):
        require_torch()
    if not is_encoder(located.get("vision")):
        return
    [decoder] = located["text"].files
    metadata = read_metadata(decoder)
    key = f"{metadata.get('general.architecture')}.rope.dimension_sections"
    sections = metadata.get(key)
    if not isinstance(sections, list) or not all(sections[:3]):
        raise BundleError(
            f"{decoder.name} has no {key}, which pictures need: it was converted for text alone; convert it again, or "
            "leave the encoder out with --no-vision"
        )


def check_places(template: ChatTemplate, encoders: Modules) -> None:
    """Whether the prompts of this template have a place for what they give. Raises SetupError."""
    for modality, module in encoders.items():
        if module.spec.mark is not None:
            template.own_mark(module.spec.mark)
        elif modality == "vision":
            _ = template.picture_mark
