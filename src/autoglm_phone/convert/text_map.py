"""The GLM-4 decoder: a checkpoint's names to those of llama.cpp's arch `glm4`.

Source: llama.cpp b11549, conversion/glm.py and gguf-py/gguf/tensor_mapping.py.
"""

from functools import partial

from autoglm_phone.convert.planned import Rearrange, Rule, to_neox
from autoglm_phone.models.text.config import DecoderConfig

PREFIX = "model.language_model."


def text_rules(config: DecoderConfig) -> list[Rule]:
    """In the order in which they are written: embedding, layers, head."""
    width, vocab = config.d_model, config.vocab_size
    rules = [Rule(f"{PREFIX}embed_tokens.weight", "token_embd.weight", (vocab, width))]
    for layer in range(config.num_layers):
        rules += _layer(config, layer)
    return [
        *rules,
        Rule(f"{PREFIX}norm.weight", "output_norm.weight", (width,)),
        Rule("lm_head.weight", "output.weight", (vocab, width)),
    ]


def _layer(config: DecoderConfig, layer: int) -> list[Rule]:
    width, size = config.d_model, config.head_size
    queries, keys = config.num_heads * size, config.num_kv_heads * size
    turned: Rearrange | None = None  # without M-RoPE llama.cpp turns neighbours, as the checkpoint does
    if config.mrope_sections is not None:
        turned = partial(to_neox, head_size=size, rotary_dims=config.rotary_size)
    source, target = f"{PREFIX}layers.{layer}", f"blk.{layer}"
    return [
        Rule(f"{source}.input_layernorm.weight", f"{target}.attn_norm.weight", (width,)),
        Rule(f"{source}.self_attn.q_proj.weight", f"{target}.attn_q.weight", (queries, width), turned),
        Rule(f"{source}.self_attn.q_proj.bias", f"{target}.attn_q.bias", (queries,), turned),
        Rule(f"{source}.self_attn.k_proj.weight", f"{target}.attn_k.weight", (keys, width), turned),
        Rule(f"{source}.self_attn.k_proj.bias", f"{target}.attn_k.bias", (keys,), turned),
        Rule(f"{source}.self_attn.v_proj.weight", f"{target}.attn_v.weight", (keys, width)),
        Rule(f"{source}.self_attn.v_proj.bias", f"{target}.attn_v.bias", (keys,)),
        Rule(f"{source}.self_attn.o_proj.weight", f"{target}.attn_output.weight", (width, queries)),
        Rule(f"{source}.post_self_attn_layernorm.weight", f"{target}.post_attention_norm.weight", (width,)),
        Rule(f"{source}.post_attention_layernorm.weight", f"{target}.ffn_norm.weight", (width,)),
        # gate and up in one, as llama.cpp wants them too
        Rule(f"{source}.mlp.gate_up_proj.weight", f"{target}.ffn_up.weight", (2 * config.d_ff, width)),
        Rule(f"{source}.mlp.down_proj.weight", f"{target}.ffn_down.weight", (width, config.d_ff)),
        Rule(f"{source}.post_mlp_layernorm.weight", f"{target}.post_ffw_norm.weight", (width,)),
    ]
