"""Where the decoder's tensors are in a checkpoint and in a GGUF file: data, and the order of rows.

llama.cpp's M-RoPE turns number i of a head with number i + R / 2, ours (as the checkpoint) neighbour with neighbour, so
its converter reorders the rows that make queries and keys; that is undone here.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from autoglm_phone.models.text.config import DecoderConfig
from autoglm_phone.weights.name_map import Floats, Make, NameMap, Rule, joined_rows, known_prefix, per_layer, rule

# The second is that of checkpoints saved before transformers 4.52.
PREFIXES = ("model.language_model.", "model.")


def checkpoint_map(config: DecoderConfig, names: Iterable[str]) -> NameMap:
    """names: those of the checkpoint, which tell its age."""
    prefix = known_prefix(names, PREFIXES)
    block = prefix + "layers.{layer}."
    attention = block + "self_attn."
    layer = (
        rule("layers.{layer}.attention_norm.weight", block + "input_layernorm.weight"),
        *(_qkv(kind, attention + "{part}_proj." + kind, joined_rows) for kind in ("weight", "bias")),
        rule("layers.{layer}.attention.out.weight", attention + "o_proj.weight"),
        rule("layers.{layer}.attention_post_norm.weight", block + "post_self_attn_layernorm.weight"),
        rule("layers.{layer}.ff_norm.weight", block + "post_attention_layernorm.weight"),
        rule("layers.{layer}.ff.gate_up.weight", block + "mlp.gate_up_proj.weight"),
        rule("layers.{layer}.ff.down.weight", block + "mlp.down_proj.weight"),
        rule("layers.{layer}.ff_post_norm.weight", block + "post_mlp_layernorm.weight"),
    )
    rules = (
        rule("embed.weight", prefix + "embed_tokens.weight"),
        *per_layer(layer, config.num_layers),
        rule("norm.weight", prefix + "norm.weight"),
        rule("head.weight", "lm_head.weight"),
    )
    return NameMap(rules, re.compile(r"model\.(?!visual\.)|lm_head\."))


def gguf_map(config: DecoderConfig) -> NameMap:
    """Source: llama.cpp b11549, src/models/glm4.cpp and conversion/glm.py."""
    block = "blk.{layer}."
    make = _ggml_rows(config)
    layer = (
        rule("layers.{layer}.attention_norm.weight", block + "attn_norm.weight"),
        *(_qkv(kind, block + "attn_{part}." + kind, make) for kind in ("weight", "bias")),
        rule("layers.{layer}.attention.out.weight", block + "attn_output.weight"),
        rule("layers.{layer}.attention_post_norm.weight", block + "post_attention_norm.weight"),
        rule("layers.{layer}.ff_norm.weight", block + "ffn_norm.weight"),
        rule("layers.{layer}.ff.gate_up.weight", block + "ffn_up.weight"),
        rule("layers.{layer}.ff.down.weight", block + "ffn_down.weight"),
        rule("layers.{layer}.ff_post_norm.weight", block + "post_ffw_norm.weight"),
    )
    rules = (
        rule("embed.weight", "token_embd.weight"),
        *per_layer(layer, config.num_layers),
        rule("norm.weight", "output_norm.weight"),
        rule("head.weight", "output.weight"),
    )
    return NameMap(rules, re.compile(""))


def _qkv(kind: str, theirs: str, make: Make) -> Rule:
    names = (theirs.replace("{part}", part) for part in "qkv")
    return rule(f"layers.{{layer}}.attention.qkv.{kind}", *names, make=make)


def _ggml_rows(config: DecoderConfig) -> Make:
    if config.mrope_sections is None:  # llama.cpp then turns neighbours too
        return joined_rows

    def made(tensors: Sequence[Floats]) -> Floats:
        q, k, v = tensors
        return np.concatenate([*(interleaved(part, config) for part in (q, k)), v])

    return made


def interleaved(rows: Floats, config: DecoderConfig) -> Floats:
    """(heads * D, ...) where a head's first R rows are their even ones and then their odd ones -> in their order."""
    heads = rows.reshape(-1, config.head_size, *rows.shape[1:])
    half = config.rotary_size // 2
    turned = np.stack((heads[:, :half], heads[:, half : 2 * half]), axis=2)  # (heads, R / 2, 2, ...)
    turned = turned.reshape(len(heads), 2 * half, *rows.shape[1:])
    return np.concatenate((turned, heads[:, 2 * half :]), axis=1).reshape(rows.shape)
