"""The shape of a speech encoder, read from a checkpoint's config.json or a GGUF's metadata."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.encoder_files import EncoderFiles

# More layers than any model has: a hostile file must not make us build millions of them.
Layers = Annotated[int, Meta(ge=1, le=1024)]
Size = Annotated[int, Meta(ge=1, le=2**24)]
Positive = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True)
class SpeechConfig:
    """Whisper's encoder, or GLM-ASR's, which is Whisper's with rotary positions. Defaults are those of GLM-ASR-Nano.

    max_positions  frames behind the convolutions: those of one window of 30 s are 1500
    rotary_size    how many numbers of a head turn with the position; None: learned positions, as Whisper has them
    """

    num_mels: int = 128
    d_model: int = 1280
    num_layers: int = 32
    num_heads: int = 20
    d_ff: int = 5120
    max_positions: int = 1500
    rotary_size: int | None = 32
    rope_theta: float = 10000.0

    def __post_init__(self) -> None:
        if self.d_model % self.num_heads:
            raise BundleError(f"the speech encoder's width {self.d_model} does not go into {self.num_heads} heads")
        if self.rotary_size is not None and (self.rotary_size % 2 or not 0 < self.rotary_size <= self.head_size):
            raise BundleError(f"the speech encoder turns {self.rotary_size} of a head's {self.head_size} numbers")

    @property
    def head_size(self) -> int:
        return self.d_model // self.num_heads


class _Whisper(msgspec.Struct, frozen=True):
    """config.json of a Whisper model; the decoder's fields are left alone."""

    num_mel_bins: Size
    d_model: Size
    encoder_layers: Layers
    encoder_attention_heads: Size
    encoder_ffn_dim: Size
    max_source_positions: Size = 1500
    activation_function: Literal["gelu"] = "gelu"


class _Rope(msgspec.Struct, frozen=True):
    rope_theta: Positive = 10000.0
    partial_rotary_factor: Annotated[float, Meta(gt=0, le=1)] = 0.5


class _GlmAsr(msgspec.Struct, frozen=True):
    """`audio_config` of a GLM-ASR model, with the defaults that transformers gives its fields."""

    hidden_size: Size = 1280
    intermediate_size: Size = 5120
    num_hidden_layers: Layers = 32
    num_attention_heads: Size = 20
    num_key_value_heads: Size | None = None
    max_position_embeddings: Size = 1500
    num_mel_bins: Size = 128
    hidden_act: Literal["gelu"] = "gelu"
    rope_parameters: _Rope = _Rope()


class _Gguf(msgspec.Struct, frozen=True, rename=lambda name: "clip.audio." + name.replace("__", ".")):
    """The keys of an mmproj file; a double underscore stands for a dot."""

    num_mel_bins: Size
    embedding_length: Size
    block_count: Layers
    attention__head_count: Size
    feed_forward_length: Size


def from_files(files: EncoderFiles) -> SpeechConfig:
    """Raises BundleError that names the field or the key."""
    if files.is_gguf:
        return from_gguf(files.settings, files.tensors.shape)
    return from_checkpoint(files.settings)


def from_checkpoint(config: Mapping[str, Any]) -> SpeechConfig:
    """config: the object in config.json. Raises BundleError that names the field."""
    match config.get("model_type"):
        case "whisper":
            return _of_whisper(config)
        case "glmasr":
            return _of_glm_asr(config.get("audio_config", {}))
        case other:
            raise BundleError(f"config.json, model_type: {other!r} is no speech model, only 'whisper' and 'glmasr' are")


def _of_whisper(fields: Mapping[str, Any]) -> SpeechConfig:
    try:
        found = msgspec.convert(fields, _Whisper)
    except msgspec.ValidationError as error:
        raise BundleError(f"config.json: {error}") from error
    return SpeechConfig(
        num_mels=found.num_mel_bins,
        d_model=found.d_model,
        num_layers=found.encoder_layers,
        num_heads=found.encoder_attention_heads,
        d_ff=found.encoder_ffn_dim,
        max_positions=found.max_source_positions,
        rotary_size=None,
    )


def _of_glm_asr(fields: object) -> SpeechConfig:
    try:
        found = msgspec.convert(fields, _GlmAsr)
    except msgspec.ValidationError as error:
        raise BundleError(f"config.json, audio_config: {error}") from error
    if found.num_key_value_heads not in (None, found.num_attention_heads):
        raise BundleError("config.json, audio_config: key-value heads that several query heads share are not known")
    head_size = found.hidden_size // found.num_attention_heads
    return SpeechConfig(
        num_mels=found.num_mel_bins,
        d_model=found.hidden_size,
        num_layers=found.num_hidden_layers,
        num_heads=found.num_attention_heads,
        d_ff=found.intermediate_size,
        max_positions=found.max_position_embeddings,
        rotary_size=int(head_size * found.rope_parameters.partial_rotary_factor),
        rope_theta=found.rope_parameters.rope_theta,
    )


def from_gguf(metadata: Mapping[str, Any], shape: Callable[[str], tuple[int, ...]]) -> SpeechConfig:
    """metadata of an mmproj file; shape: that of a tensor by name. Raises BundleError that names the key.

    llama.cpp's `glma` is refused: it has learned positions where GLM-ASR has rotary ones.
    """
    kind = metadata.get("clip.audio.projector_type", metadata.get("clip.projector_type"))
    if kind != "ultravox":
        raise BundleError(f"the audio projector is {kind!r}; only 'ultravox', behind Whisper's encoder, is known")
    try:
        found = msgspec.convert(metadata, _Gguf)
    except msgspec.ValidationError as error:
        raise BundleError(f"the mmproj file's metadata: {error}") from error
    return SpeechConfig(
        num_mels=found.num_mel_bins,
        d_model=found.embedding_length,
        num_layers=found.block_count,
        num_heads=found.attention__head_count,
        d_ff=found.feed_forward_length,
        max_positions=shape("a.position_embd.weight")[0],
        rotary_size=None,
    )
