"""The shape of a projector, read from a checkpoint's config.json or a GGUF's metadata."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import known_prefix

Size = Annotated[int, Meta(ge=1, le=2**24)]
Kind = Literal["glm_asr", "ultravox"]

# In front of the names in a checkpoint; of different ages.
PREFIXES = ("model.multi_modal_projector.", "multi_modal_projector.")


@dataclass(frozen=True)
class ProjectorConfig:
    """d_in: width of the encoder's frames. stack: how many of them make one embedding of width d_out.

    glm_asr   matrix, GELU, matrix, with biases; frames that do not fill a stack are dropped
    ultravox  norm, matrix, SwiGLU, norm, matrix; silence fills the last stack
    """

    kind: Kind
    d_in: int
    d_hidden: int
    d_out: int
    stack: int = 4

    def num_tokens(self, num_frames: int) -> int:
        return num_frames // self.stack if self.kind == "glm_asr" else -(-num_frames // self.stack)


class _Audio(msgspec.Struct, frozen=True):
    hidden_size: Size = 1280
    intermediate_size: Size = 5120


class _Text(msgspec.Struct, frozen=True):
    hidden_size: Size = 2048


class _GlmAsr(msgspec.Struct, frozen=True):
    """config.json of a GLM-ASR model, with the defaults that transformers gives its fields."""

    model_type: Literal["glmasr"]
    audio_config: _Audio = _Audio()
    text_config: _Text = _Text()
    projector_hidden_act: Literal["gelu"] = "gelu"


def from_files(files: EncoderFiles, d_in: int) -> ProjectorConfig:
    """d_in: as the encoder gives it. Raises BundleError that names the field, the key or the tensor."""
    if files.is_gguf:
        found = from_gguf(files.settings, files.tensors.shape)
        if found.d_in != d_in:
            raise BundleError(f"the projector takes frames of {found.d_in} numbers, and the encoder's have {d_in}")
        return found
    prefix = known_prefix(files.tensors, PREFIXES)
    if f"{prefix}ln_pre.weight" not in files.tensors:
        return from_checkpoint(files.settings)
    return _ultravox(files.tensors.shape, prefix, d_in)


def _ultravox(shape: Callable[[str], tuple[int, ...]], prefix: str, d_in: int) -> ProjectorConfig:
    """From its tensors alone: whose config.json stands beside them is not settled."""
    norm, last = shape(f"{prefix}ln_pre.weight"), shape(f"{prefix}linear_2.weight")
    if len(norm) != 1 or len(last) != 2 or norm[0] % d_in or not norm[0]:
        raise BundleError(
            f"tensors {prefix}ln_pre.weight {norm} and linear_2.weight {last} are those of no projector of frames of "
            f"{d_in} numbers"
        )
    stack, (d_out, d_half) = norm[0] // d_in, last
    return ProjectorConfig("ultravox", d_in, 2 * d_half, d_out, stack)


def from_checkpoint(config: Mapping[str, Any]) -> ProjectorConfig:
    """config: the object in config.json. Raises BundleError that names the field."""
    try:
        found = msgspec.convert(config, _GlmAsr)
    except msgspec.ValidationError as error:
        raise BundleError(f"config.json: {error}") from error
    stack, rest = divmod(found.audio_config.intermediate_size, found.audio_config.hidden_size)
    if rest:
        raise BundleError("config.json, audio_config: intermediate_size is no multiple of hidden_size")
    d_out = found.text_config.hidden_size
    return ProjectorConfig("glm_asr", found.audio_config.hidden_size, 2 * d_out, d_out, stack)


def from_gguf(metadata: Mapping[str, Any], shape: Callable[[str], tuple[int, ...]]) -> ProjectorConfig:
    """metadata of an mmproj file; shape: that of a tensor by name. Raises BundleError that names the key."""
    kind = metadata.get("clip.audio.projector_type", metadata.get("clip.projector_type"))
    if kind != "ultravox":
        raise BundleError(f"the audio projector is {kind!r}; only 'ultravox' is known")
    key = "clip.audio.projector.stack_factor"
    stack = metadata.get(key)
    d_out, d_half = shape("mm.a.mlp.2.weight")
    (d_stacked,) = shape("mm.a.norm_pre.weight")
    if type(stack) is not int or stack < 1 or d_stacked % stack:
        raise BundleError(f"{key} is {stack!r}, which does not divide mm.a.norm_pre's {d_stacked}")
    return ProjectorConfig("ultravox", d_stacked // stack, 2 * d_half, d_out, stack)
