"""The shape of a GLM-4 decoder, read from a checkpoint's config.json or a GGUF's metadata."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError

# More layers than any model has: a hostile file must not make us build millions of them.
Layers = Annotated[int, Meta(ge=1, le=1024)]
Size = Annotated[int, Meta(ge=1, le=2**24)]
Positive = Annotated[float, Meta(gt=0)]
Sections = tuple[int, int, int]


@dataclass(frozen=True)
class DecoderConfig:
    """Defaults are those of GLM-4.1V-9B and AutoGLM-Phone-9B.

    rotary_size     how many numbers of a head turn with the position
    mrope_sections  how many of their pairs turn with the time, with the row, with the column; None: all with one
    """

    vocab_size: int = 151552
    d_model: int = 4096
    num_layers: int = 40
    num_heads: int = 32
    num_kv_heads: int = 2
    head_size: int = 128
    d_ff: int = 13696
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    rotary_size: int = 64
    mrope_sections: Sections | None = (8, 12, 12)
    max_positions: int = 65536

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise BundleError(f"the decoder's {self.num_heads} query heads do not go into {self.num_kv_heads} groups")
        if self.rotary_size % 2 or not 0 < self.rotary_size <= self.head_size:
            raise BundleError(
                f"the decoder turns {self.rotary_size} of a head's {self.head_size} numbers: not possible"
            )
        sections = self.mrope_sections
        if sections is not None and (min(sections) < 0 or sum(sections) != self.rotary_size // 2):
            raise BundleError(f"the decoder's sections {sections} do not add up to {self.rotary_size // 2} pairs")


class _Rope(msgspec.Struct, frozen=True):
    """`rope_parameters`, in older files `rope_scaling`."""

    rope_theta: Positive | None = None
    partial_rotary_factor: Annotated[float, Meta(gt=0, le=1)] | None = None
    mrope_section: Sections | None = None


class _Checkpoint(msgspec.Struct, frozen=True):
    """`text_config` of config.json, with the defaults that transformers gives its fields."""

    vocab_size: Size = 151552
    hidden_size: Size = 4096
    intermediate_size: Size = 13696
    num_hidden_layers: Layers = 40
    num_attention_heads: Size = 32
    num_key_value_heads: Size | None = 2
    head_dim: Size | None = None
    max_position_embeddings: Size = 32768
    rms_norm_eps: Positive = 1e-5
    hidden_act: Literal["silu"] = "silu"
    rope_parameters: _Rope | None = None
    rope_scaling: _Rope | None = None
    # where files from before transformers 5 have them
    rope_theta: Positive | None = None
    partial_rotary_factor: Annotated[float, Meta(gt=0, le=1)] | None = None


class _Gguf(msgspec.Struct, frozen=True, rename=lambda name: "glm4." + name.replace("__", ".")):
    """The keys of a text file; a double underscore stands for a dot."""

    block_count: Layers
    context_length: Size
    embedding_length: Size
    feed_forward_length: Size
    attention__head_count: Size
    attention__head_count_kv: Size
    attention__layer_norm_rms_epsilon: Positive
    rope__dimension_count: Size
    rope__freq_base: Positive = 10000.0
    rope__dimension_sections: list[int] | None = None
    attention__key_length: Size | None = None


def from_checkpoint(config: Mapping[str, Any]) -> DecoderConfig:
    """config: the object in config.json. Raises BundleError that names the field."""
    fields = config.get("text_config")
    if fields is None:  # files from before transformers 4.52 have the decoder's fields at the top
        fields = config
    try:
        found = msgspec.convert(fields, _Checkpoint)
    except msgspec.ValidationError as error:
        raise BundleError(f"config.json, text_config: {error}") from error
    rope = found.rope_parameters or found.rope_scaling or _Rope()
    head_size = found.head_dim or found.hidden_size // found.num_attention_heads
    return DecoderConfig(
        vocab_size=found.vocab_size,
        d_model=found.hidden_size,
        num_layers=found.num_hidden_layers,
        num_heads=found.num_attention_heads,
        num_kv_heads=found.num_key_value_heads or found.num_attention_heads,
        head_size=head_size,
        d_ff=found.intermediate_size,
        norm_eps=found.rms_norm_eps,
        rope_theta=rope.rope_theta or found.rope_theta or 10000.0,
        rotary_size=_rotary_size(head_size, rope.partial_rotary_factor or found.partial_rotary_factor, rope),
        mrope_sections=rope.mrope_section,
        max_positions=found.max_position_embeddings,
    )


def _rotary_size(head_size: int, part: float | None, rope: _Rope) -> int:
    """Some files leave it to the sections to say how much of a head turns."""
    if part is None and rope.mrope_section is not None:
        return 2 * sum(rope.mrope_section)
    return int(head_size * (part or 1.0))


def from_gguf(metadata: Mapping[str, Any], shape: Callable[[str], tuple[int, ...]]) -> DecoderConfig:
    """metadata of a text file; shape: that of a tensor by name. Raises BundleError that names the key."""
    if metadata.get("general.architecture") != "glm4":
        raise BundleError(f"the decoder is of architecture {metadata.get('general.architecture')!r}, not 'glm4'")
    try:
        found = msgspec.convert(metadata, _Gguf)
    except msgspec.ValidationError as error:
        raise BundleError(f"the GGUF file's metadata: {error}") from error
    return DecoderConfig(
        vocab_size=shape("token_embd.weight")[0],
        d_model=found.embedding_length,
        num_layers=found.block_count,
        num_heads=found.attention__head_count,
        num_kv_heads=found.attention__head_count_kv,
        head_size=found.attention__key_length or found.embedding_length // found.attention__head_count,
        d_ff=found.feed_forward_length,
        norm_eps=found.attention__layer_norm_rms_epsilon,
        rope_theta=found.rope__freq_base,
        rotary_size=found.rope__dimension_count,
        mrope_sections=_three(found.rope__dimension_sections),
        max_positions=found.context_length,
    )


def _three(sections: list[int] | None) -> Sections | None:
    """llama.cpp writes four sections, the last of which is for models of another kind."""
    if sections is None or not any(sections):
        return None
    if len(sections) not in (3, 4) or any(sections[3:]):
        raise BundleError(f"glm4.rope.dimension_sections is {sections}; only three sections are known")
    return sections[0], sections[1], sections[2]
