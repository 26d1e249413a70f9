"""A GLM-4 decoder loaded from a file. Needs the extra `torch`.

One sequence, no batch: the reference that faster paths are compared with, not a server. A folder whose weights are
packed in 8 or 4 bits (weights/weight_only.py) is held so; one of a GGUF file is unpacked.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
import torch
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.packed_form import PackedForm
from autoglm_phone.models.text.config import DecoderConfig, from_checkpoint, from_gguf
from autoglm_phone.models.text.glm4 import Glm4Decoder
from autoglm_phone.models.text.weight_map import checkpoint_map, gguf_map
from autoglm_phone.ops.packed_linear import hold_packed
from autoglm_phone.weights.gguf_tensors import GgufTensors
from autoglm_phone.weights.load import load_into
from autoglm_phone.weights.name_map import Floats, NameMap
from autoglm_phone.weights.tensor_map import GgufFloats
from autoglm_phone.weights.weight_only import CONFIG_KEY, GROUP


class _Packed(msgspec.Struct, frozen=True):
    bits: Literal[8, 4]
    group_size: Annotated[int, Meta(ge=GROUP, le=GROUP)]


def load_decoder(
    config: DecoderConfig,
    tensors: Mapping[str, Floats],
    names: NameMap,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    form: PackedForm | None = None,
) -> Glm4Decoder:
    """tensors: of any file whose names `names` knows. form: how the linear layers' weights are held, the head's in 8
    bits at the least. Raises BundleError if the tensors are not those of the config."""
    with torch.device("meta"):  # no memory yet
        decoder = Glm4Decoder(config).eval()
    if form is not None:
        hold_packed(decoder.layers, form)
        hold_packed(decoder, replace(form, bits=8))
    load_into(decoder, tensors, names, dtype=dtype, device=device)
    return decoder


def decoder_of_gguf(
    file: GgufTensors, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Glm4Decoder:
    """file: llama.cpp's glm4. Raises BundleError if it is another, or not whole."""
    tensors = GgufFloats(file)
    config = from_gguf(file.metadata, tensors.shape)
    return load_decoder(config, tensors, gguf_map(config), dtype=dtype, device=device)


def decoder_of_checkpoint(
    settings: Mapping[str, Any],
    tensors: Mapping[str, Floats],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Glm4Decoder:
    """settings: the object in config.json. Raises BundleError if the decoder is not there, or not all of it."""
    config = from_checkpoint(settings)
    names = checkpoint_map(config, tensors)
    return load_decoder(config, tensors, names, dtype=dtype, device=device, form=_form(settings))


def _form(settings: Mapping[str, Any]) -> PackedForm | None:
    if CONFIG_KEY not in settings:
        return None
    try:
        found = msgspec.convert(settings[CONFIG_KEY], _Packed)
    except msgspec.ValidationError as error:
        raise BundleError(f"config.json, {CONFIG_KEY}: {error}") from error
    return PackedForm(found.bits, found.group_size)
