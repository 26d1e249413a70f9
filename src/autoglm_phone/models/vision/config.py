"""The shape of a vision encoder, read from a checkpoint's config.json or a GGUF's metadata."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.checkpoint import MAX_CONFIG_BYTES, read_json
from autoglm_phone.weights.encoder_files import EncoderFiles

# More layers than any model has: a hostile file must not make us build millions of them.
Layers = Annotated[int, Meta(ge=1, le=1024)]
Size = Annotated[int, Meta(ge=1, le=2**24)]
Channel = Annotated[float, Meta(ge=0, le=1)]

# The means and deviations of CLIP's training pictures, on which GLM-4.1V was trained too.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class VisionConfig:
    """GLM-4.1V's encoder. Defaults are those of GLM-4.1V-9B and AutoGLM-Phone-9B.

    d_out          width of the embeddings: that of the decoder
    d_ff           width between the matrices of a layer's feed-forward part
    d_merger_ff    the same of the merger
    position_side  learned positions lie on a square of this many patches a side
    """

    num_layers: int = 24
    d_model: int = 1536
    num_heads: int = 12
    d_ff: int = 4096
    d_out: int = 4096
    d_merger_ff: int = 13696
    patch_side: int = 14
    merge: int = 2
    position_side: int = 24
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __post_init__(self) -> None:
        if self.d_model % self.num_heads or self.head_size % 4:
            raise BundleError(
                f"the vision encoder's width {self.d_model} does not go into {self.num_heads} heads of a multiple of 4"
            )
        if min(self.std) <= 0:
            raise BundleError(f"the vision encoder's image_std {self.std} holds a value that is not over zero")

    @property
    def head_size(self) -> int:
        return self.d_model // self.num_heads

    @property
    def token_side(self) -> int:
        """Pixels of a token's square."""
        return self.merge * self.patch_side


class _Checkpoint(msgspec.Struct, frozen=True):
    """`vision_config` of config.json, with the defaults that transformers gives its fields."""

    depth: Layers = 24
    hidden_size: Size = 1536
    num_heads: Size = 12
    out_hidden_size: Size = 4096
    intermediate_size: Size = 13696
    image_size: Size = 336
    patch_size: Size = 14
    spatial_merge_size: Size = 2
    temporal_patch_size: Annotated[int, Meta(ge=2, le=2)] = 2
    rms_norm_eps: Annotated[float, Meta(gt=0)] = 1e-5
    in_channels: Annotated[int, Meta(ge=3, le=3)] = 3
    hidden_act: Literal["silu"] = "silu"


class _Preprocessor(msgspec.Struct, frozen=True):
    """preprocessor_config.json, as far as it says more than config.json."""

    image_mean: tuple[Channel, Channel, Channel] | None = None
    image_std: tuple[Channel, Channel, Channel] | None = None


class _Gguf(msgspec.Struct, frozen=True, rename=lambda name: "clip.vision." + name.replace("__", ".")):
    """The keys of an mmproj file; a double underscore stands for a dot."""

    block_count: Layers
    embedding_length: Size
    attention__head_count: Size
    image_size: Size
    patch_size: Size
    attention__layer_norm_epsilon: Annotated[float, Meta(gt=0)]
    spatial_merge_size: Size = 2
    image_mean: tuple[float, float, float] = CLIP_MEAN
    image_std: tuple[float, float, float] = CLIP_STD


def from_files(files: EncoderFiles) -> VisionConfig:
    """Raises BundleError that names the field or the key."""
    if files.is_gguf:
        return from_gguf(files.settings, files.tensors.shape)
    config = from_checkpoint(files.settings)
    return config if files.preprocessor is None else with_preprocessor(config, files.preprocessor)


def with_preprocessor(config: VisionConfig, path: Path) -> VisionConfig:
    """With the means and deviations of pixels that the processor's file has, if it says any. Raises BundleError."""
    found = read_json(path, _Preprocessor, MAX_CONFIG_BYTES)
    return replace(config, mean=found.image_mean or config.mean, std=found.image_std or config.std)


def from_checkpoint(config: Mapping[str, Any]) -> VisionConfig:
    """config: the object in config.json. Raises BundleError that names the field."""
    try:
        found = msgspec.convert(config.get("vision_config", {}), _Checkpoint)
    except msgspec.ValidationError as error:
        raise BundleError(f"config.json, vision_config: {error}") from error
    return VisionConfig(
        num_layers=found.depth,
        d_model=found.hidden_size,
        num_heads=found.num_heads,
        d_ff=found.out_hidden_size,  # the layers' width between is the output's, not intermediate_size
        d_out=found.out_hidden_size,
        d_merger_ff=found.intermediate_size,
        patch_side=found.patch_size,
        merge=found.spatial_merge_size,
        position_side=found.image_size // found.patch_size,
        norm_eps=found.rms_norm_eps,
    )


def from_gguf(metadata: Mapping[str, Any], shape: Callable[[str], tuple[int, ...]]) -> VisionConfig:
    """metadata of an mmproj file; shape: that of a tensor by name. Raises BundleError that names the key.

    Widths that the metadata lacks or has ambiguously (`feed_forward_length` is the merger's in some files) are those
    of the tensors.
    """
    kind = metadata.get("clip.vision.projector_type", metadata.get("clip.projector_type"))
    if kind != "glm4v":
        raise BundleError(f"the vision projector is {kind!r}; only 'glm4v' is known")
    if metadata.get("clip.use_silu") is not True:
        raise BundleError("clip.use_silu is not true: the vision encoder's activation is another than GLM-4.1V's")
    try:
        found = msgspec.convert(metadata, _Gguf)
    except msgspec.ValidationError as error:
        raise BundleError(f"the mmproj file's metadata: {error}") from error
    return VisionConfig(
        num_layers=found.block_count,
        d_model=found.embedding_length,
        num_heads=found.attention__head_count,
        d_ff=shape("v.blk.0.ffn_up.weight")[0],
        d_out=shape("mm.model.fc.weight")[0],
        d_merger_ff=shape("mm.up.weight")[0],
        patch_side=found.patch_size,
        merge=found.spatial_merge_size,
        position_side=found.image_size // found.patch_size,
        norm_eps=found.attention__layer_norm_epsilon,
        mean=found.image_mean,
        std=found.image_std,
    )
