"""What of a config.json decides shapes and rotary positions, checked; a fault is a BundleError that names the field.

Source: github.com/huggingface/transformers, models/glm4v/configuration_glm4v.py and models/whisper (their field names).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError

# Far over every model there is: a hostile config must not make a plan of millions of tensors.
Count = Annotated[int, Meta(gt=0, le=2**22)]
Layers = Annotated[int, Meta(gt=0, le=1000)]
Epsilon = Annotated[float, Meta(gt=0, lt=1)]
Struct = TypeVar("Struct", bound=msgspec.Struct)

# What the network's code uses where the file says nothing.
MROPE_SECTIONS = (8, 12, 12)


class Rope(msgspec.Struct, frozen=True):
    """mrope_section: pairs of dimensions that turn with time, height and width."""

    rope_theta: Annotated[float, Meta(gt=0)] | None = None
    partial_rotary_factor: Annotated[float, Meta(gt=0, le=1)] | None = None
    mrope_section: tuple[Count, Count, Count] = MROPE_SECTIONS


class TextConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The GLM-4 decoder of GLM-4.1V."""

    vocab_size: Count
    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Layers
    num_attention_heads: Count
    num_key_value_heads: Count
    head_dim: Count | None = None
    rms_norm_eps: Epsilon = 1e-5
    max_position_embeddings: Annotated[int, Meta(gt=0, le=2**31 - 1)] = 32768
    hidden_act: Literal["silu"] = "silu"
    rope_parameters: Rope | None = None
    # as files had them before transformers 5
    rope_scaling: Rope | None = None
    rope_theta: Annotated[float, Meta(gt=0)] = 10_000.0
    partial_rotary_factor: Annotated[float, Meta(gt=0, le=1)] | None = None

    @property
    def head_size(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def rope(self) -> Rope:
        return self.rope_parameters or self.rope_scaling or Rope()

    @property
    def theta(self) -> float:
        return self.rope.rope_theta or self.rope_theta

    @property
    def rotary_dims(self) -> int:
        """Of each head, the dimensions that turn; the others stay as they are."""
        return 2 * sum(self.rope.mrope_section)


class WhisperConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The encoder of a Whisper model."""

    d_model: Count
    encoder_layers: Layers
    encoder_attention_heads: Count
    encoder_ffn_dim: Count
    num_mel_bins: Count = 80
    max_source_positions: Literal[1500] = 1500  # llama.cpp cuts sounds into 30 s
    activation_function: Literal["gelu"] = "gelu"


def text_config(config: Mapping[str, Any]) -> TextConfig:
    """From its own section, or from the top of the file, where early checkpoints have it."""
    where = "text_config" if "text_config" in config else ""
    text = _section(config, where, TextConfig)
    if "head_dim" not in (config[where] if where else config) and text.hidden_size % text.num_attention_heads:
        raise _wrong(where, "num_attention_heads", f"it does not divide hidden_size {text.hidden_size}")
    if text.num_attention_heads % text.num_key_value_heads:
        raise _wrong(where, "num_key_value_heads", f"it does not divide the {text.num_attention_heads} query heads")
    factor = text.rope.partial_rotary_factor or text.partial_rotary_factor
    turning = text.rotary_dims if factor is None else int(text.head_size * factor)
    if turning != text.rotary_dims or turning > text.head_size:
        raise _wrong(
            where,
            "mrope_section",
            f"{text.rope.mrope_section} turn {text.rotary_dims} of {text.head_size} dimensions; "
            f"partial_rotary_factor says {turning}",
        )
    return text


def whisper_config(config: Mapping[str, Any]) -> WhisperConfig:
    return _section(config, "", WhisperConfig)


def _section(config: Mapping[str, Any], name: str, type_: type[Struct]) -> Struct:
    try:
        return msgspec.convert(config[name] if name else config, type_)
    except msgspec.ValidationError as error:
        raise _wrong(name, "", str(error)) from error


def _wrong(section: str, field: str, problem: str) -> BundleError:
    place = ".".join(part for part in (section, field) if part)
    return BundleError(f"config.json cannot be used{f' at {place}' if place else ''}: {problem}")
