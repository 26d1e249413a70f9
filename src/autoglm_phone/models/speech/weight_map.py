"""Where a speech encoder's tensors are in the checkpoints of Whisper and GLM-ASR, and in an mmproj file: data."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from autoglm_phone.models.speech.config import SpeechConfig
from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import (
    Floats,
    NameMap,
    Rule,
    joined_rows,
    known_prefix,
    per_layer,
    rule,
    same_suffixes,
)

BOTH = ("weight", "bias")
# The first is that of a whole model, the second that of a model without its head.
WHISPER_PREFIXES = ("model.encoder.", "encoder.")
GLM_ASR_PREFIXES = ("model.audio_tower.", "audio_tower.")


def without_bias_of_keys(tensors: Sequence[Floats]) -> Floats:
    """Biases of queries and of values, with zeros for the keys between them."""
    queries, values = tensors
    return np.concatenate((queries, np.zeros_like(queries), values))


def flat(tensors: Sequence[Floats]) -> Floats:
    """llama.cpp keeps a convolution's bias as (C, 1)."""
    (tensor,) = tensors
    return tensor.reshape(-1)


def map_of_files(files: EncoderFiles, config: SpeechConfig) -> NameMap:
    return gguf_map(config.num_layers) if files.is_gguf else checkpoint_map(config, files.tensors)


def checkpoint_map(config: SpeechConfig, names: Iterable[str]) -> NameMap:
    """names: those of the checkpoint, which tell how much of the model it holds."""
    if config.rotary_size is None:
        prefix = known_prefix(names, WHISPER_PREFIXES)
        layer = (
            *_attention("layers.{layer}.self_attn.{part}_proj", "out"),
            *same_suffixes("layers.{layer}.attention_norm", "layers.{layer}.self_attn_layer_norm", *BOTH),
            *same_suffixes("layers.{layer}.ff_norm", "layers.{layer}.final_layer_norm", *BOTH),
            *same_suffixes("layers.{layer}.up", "layers.{layer}.fc1", *BOTH),
            *same_suffixes("layers.{layer}.down", "layers.{layer}.fc2", *BOTH),
        )
        own = (rule("positions", "embed_positions.weight"), *same_suffixes("norm", "layer_norm", *BOTH))
    else:
        prefix = known_prefix(names, GLM_ASR_PREFIXES)
        layer = (
            *_attention("layers.{layer}.self_attn.{part}_proj", "o"),
            *same_suffixes("layers.{layer}.attention_norm", "layers.{layer}.input_layernorm", *BOTH),
            *same_suffixes("layers.{layer}.ff_norm", "layers.{layer}.post_attention_layernorm", *BOTH),
            *same_suffixes("layers.{layer}.up", "layers.{layer}.mlp.fc1", *BOTH),
            *same_suffixes("layers.{layer}.down", "layers.{layer}.mlp.fc2", *BOTH),
        )
        own = same_suffixes("norm", "norm", *BOTH)
    convolutions = (*same_suffixes("conv1", "conv1", *BOTH), *same_suffixes("conv2", "conv2", *BOTH))
    rules = (*convolutions, *own, *per_layer(layer, config.num_layers))
    return NameMap(rules, re.compile(re.escape(prefix))).prefixed(prefix)


def gguf_map(num_layers: int) -> NameMap:
    """Whisper's encoder. Source: llama.cpp b11549, tools/mtmd/clip-impl.h and conversion/ultravox.py."""
    layer = (
        *_attention("a.blk.{layer}.attn_{part}", "out"),
        *same_suffixes("layers.{layer}.attention_norm", "a.blk.{layer}.ln1", *BOTH),
        *same_suffixes("layers.{layer}.ff_norm", "a.blk.{layer}.ln2", *BOTH),
        *same_suffixes("layers.{layer}.up", "a.blk.{layer}.ffn_up", *BOTH),
        *same_suffixes("layers.{layer}.down", "a.blk.{layer}.ffn_down", *BOTH),
    )
    rules = (
        rule("conv1.weight", "a.conv1d.1.weight"),
        rule("conv1.bias", "a.conv1d.1.bias", make=flat),
        rule("conv2.weight", "a.conv1d.2.weight"),
        rule("conv2.bias", "a.conv1d.2.bias", make=flat),
        rule("positions", "a.position_embd.weight"),
        *per_layer(layer, num_layers),
        *same_suffixes("norm", "a.post_ln", *BOTH),
    )
    return NameMap(rules, re.compile(r"a\."))


def _attention(theirs: str, out: str) -> tuple[Rule, ...]:
    """theirs: the name of one part, `{part}` in the place of its letter."""

    def named(kind: str, parts: str) -> list[str]:
        return [theirs.replace("{part}", part) + "." + kind for part in parts]

    ours = "layers.{layer}.attention."
    return (
        rule(ours + "qkv.weight", *named("weight", "qkv"), make=joined_rows),
        rule(ours + "qkv.bias", *named("bias", "qv"), make=without_bias_of_keys),
        *same_suffixes(ours + "out", theirs.replace("{part}", out), *BOTH),
    )
