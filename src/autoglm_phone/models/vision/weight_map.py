"""Where the vision encoder's tensors are in a checkpoint and in an mmproj GGUF file: data, and small functions."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import Floats, NameMap, joined_rows, known_prefix, per_layer, rule, same_suffixes

# Checkpoints saved before transformers 4.52 lack the first `model.`.
PREFIXES = ("model.visual.", "visual.")


def both_frames(tensors: Sequence[Floats]) -> Floats:
    """(C, 3, 2, side, side) -> (C, 3 * side * side): the frames of a still picture are equal, their weights add up."""
    (tensor,) = tensors
    return _flat(tensor.sum(axis=2))


def added_frames(tensors: Sequence[Floats]) -> Floats:
    """Twice (C, 3, side, side) -> (C, 3 * side * side)."""
    first, second = tensors
    return _flat(first + second)


def rows_of_patches(tensors: Sequence[Floats]) -> Floats:
    """A convolution (out, C, merge, merge) as a matrix over the patches of a token, one after another."""
    (tensor,) = tensors
    return _flat(np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)))


def _flat(tensor: Floats) -> Floats:
    return tensor.reshape(len(tensor), -1)


def map_of_files(files: EncoderFiles, num_layers: int) -> NameMap:
    return gguf_map(num_layers) if files.is_gguf else checkpoint_map(num_layers, files.tensors)


def checkpoint_map(num_layers: int, names: Iterable[str]) -> NameMap:
    """names: those of the checkpoint, which tell its age."""
    prefix = known_prefix(names, PREFIXES)
    layer = (
        rule("layers.{layer}.attention_norm.weight", "blocks.{layer}.norm1.weight"),
        rule("layers.{layer}.attention.qkv.weight", "blocks.{layer}.attn.qkv.weight"),
        rule("layers.{layer}.attention.out.weight", "blocks.{layer}.attn.proj.weight"),
        rule("layers.{layer}.ff_norm.weight", "blocks.{layer}.norm2.weight"),
        rule(
            "layers.{layer}.ff.gate_up.weight",
            "blocks.{layer}.mlp.gate_proj.weight",
            "blocks.{layer}.mlp.up_proj.weight",
            make=joined_rows,
        ),
        rule("layers.{layer}.ff.down.weight", "blocks.{layer}.mlp.down_proj.weight"),
    )
    rules = (
        rule("patch_embed.weight", "patch_embed.proj.weight", make=both_frames),
        rule("patch_embed.bias", "patch_embed.proj.bias"),
        rule("embed_norm.weight", "post_conv_layernorm.weight"),
        rule("positions", "embeddings.position_embedding.weight"),
        *per_layer(layer, num_layers),
        rule("final_norm.weight", "post_layernorm.weight"),
        rule("merger.downsample.weight", "downsample.weight", make=rows_of_patches),
        rule("merger.downsample.bias", "downsample.bias"),
        rule("merger.proj.weight", "merger.proj.weight"),
        *same_suffixes("merger.norm", "merger.post_projection_norm", "weight", "bias"),
        rule("merger.ff.gate_up.weight", "merger.gate_proj.weight", "merger.up_proj.weight", make=joined_rows),
        rule("merger.ff.down.weight", "merger.down_proj.weight"),
    )
    return NameMap(rules, re.compile(re.escape(prefix))).prefixed(prefix)


def gguf_map(num_layers: int) -> NameMap:
    """Source: llama.cpp b11549, tools/mtmd/clip-impl.h and conversion/qwen3vl.py."""
    layer = (
        rule("layers.{layer}.attention_norm.weight", "v.blk.{layer}.ln1.weight"),
        rule("layers.{layer}.attention.qkv.weight", "v.blk.{layer}.attn_qkv.weight"),
        rule("layers.{layer}.attention.out.weight", "v.blk.{layer}.attn_out.weight"),
        rule("layers.{layer}.ff_norm.weight", "v.blk.{layer}.ln2.weight"),
        rule(
            "layers.{layer}.ff.gate_up.weight",
            "v.blk.{layer}.ffn_gate.weight",
            "v.blk.{layer}.ffn_up.weight",
            make=joined_rows,
        ),
        rule("layers.{layer}.ff.down.weight", "v.blk.{layer}.ffn_down.weight"),
    )
    rules = (
        rule("patch_embed.weight", "v.patch_embd.weight", "v.patch_embd.weight.1", make=added_frames),
        rule("patch_embed.bias", "v.patch_embd.bias"),
        rule("embed_norm.weight", "v.norm_embd.weight"),
        rule("positions", "v.position_embd.weight"),
        *per_layer(layer, num_layers),
        rule("final_norm.weight", "v.post_ln.weight"),
        rule("merger.downsample.weight", "mm.patch_merger.weight", make=rows_of_patches),
        rule("merger.downsample.bias", "mm.patch_merger.bias"),
        rule("merger.proj.weight", "mm.model.fc.weight"),
        *same_suffixes("merger.norm", "mm.post_norm", "weight", "bias"),
        rule("merger.ff.gate_up.weight", "mm.gate.weight", "mm.up.weight", make=joined_rows),
        rule("merger.ff.down.weight", "mm.down.weight"),
    )
    # `v.boi` and `v.eoi` are of a speech encoder that may share the file, as is all that begins with `mm.a.`.
    return NameMap(rules, re.compile(r"v\.(?!boi$|eoi$)|mm\.(?!a\.)"))
