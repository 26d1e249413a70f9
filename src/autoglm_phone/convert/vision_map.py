"""GLM-4.1V's vision encoder and merger: a checkpoint's names to those of llama.cpp's projector type `glm4v`.

Source: llama.cpp b11549, conversion/qwen3vl.py (Glm4VVisionModel), tools/mtmd/clip.cpp and clip-impl.h.
"""

from autoglm_phone.convert.planned import Rule
from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.weights.dequantize import Floats

PREFIX = "model.visual."


def vision_rules(config: VisionConfig) -> list[Rule]:
    if config.merge != 2:
        raise BundleError(f"config.json, vision_config: spatial_merge_size is {config.merge}; llama.cpp knows 2 alone")
    width, patch, out = config.d_model, config.patch_side, config.d_out
    patches = f"{PREFIX}patch_embed.proj"
    # (width, 3, frames, patch, patch): llama.cpp has a convolution for each of the two frames
    frames = (width, 3, 2, patch, patch)
    frame = (width, 3, patch, patch)
    positions = config.position_side**2
    rules = [
        Rule(f"{patches}.weight", "v.patch_embd.weight", frame, _first_frame, frames),
        Rule(f"{patches}.weight", "v.patch_embd.weight.1", frame, _second_frame, frames),
        Rule(f"{patches}.bias", "v.patch_embd.bias", (width,)),
        Rule(f"{PREFIX}post_conv_layernorm.weight", "v.norm_embd.weight", (width,)),
        Rule(f"{PREFIX}embeddings.position_embedding.weight", "v.position_embd.weight", (positions, width)),
    ]
    for layer in range(config.num_layers):
        rules += _block(config, layer)
    merge = (out, width, config.merge, config.merge)
    merger, context = f"{PREFIX}merger", config.d_merger_ff
    return [
        *rules,
        Rule(f"{PREFIX}post_layernorm.weight", "v.post_ln.weight", (width,)),
        Rule(f"{PREFIX}downsample.weight", "mm.patch_merger.weight", merge),
        Rule(f"{PREFIX}downsample.bias", "mm.patch_merger.bias", (out,)),
        Rule(f"{merger}.proj.weight", "mm.model.fc.weight", (out, out)),
        Rule(f"{merger}.post_projection_norm.weight", "mm.post_norm.weight", (out,)),
        Rule(f"{merger}.post_projection_norm.bias", "mm.post_norm.bias", (out,)),
        Rule(f"{merger}.gate_proj.weight", "mm.gate.weight", (context, out)),
        Rule(f"{merger}.up_proj.weight", "mm.up.weight", (context, out)),
        Rule(f"{merger}.down_proj.weight", "mm.down.weight", (out, context)),
    ]


def _block(config: VisionConfig, layer: int) -> list[Rule]:
    width, ffn = config.d_model, config.d_ff
    source, target = f"{PREFIX}blocks.{layer}", f"v.blk.{layer}"
    return [
        Rule(f"{source}.norm1.weight", f"{target}.ln1.weight", (width,)),
        Rule(f"{source}.attn.qkv.weight", f"{target}.attn_qkv.weight", (3 * width, width)),
        Rule(f"{source}.attn.proj.weight", f"{target}.attn_out.weight", (width, width)),
        Rule(f"{source}.norm2.weight", f"{target}.ln2.weight", (width,)),
        Rule(f"{source}.mlp.gate_proj.weight", f"{target}.ffn_gate.weight", (ffn, width)),
        Rule(f"{source}.mlp.up_proj.weight", f"{target}.ffn_up.weight", (ffn, width)),
        Rule(f"{source}.mlp.down_proj.weight", f"{target}.ffn_down.weight", (width, ffn)),
    ]


def _first_frame(weight: Floats) -> Floats:
    return weight[:, :, 0]


def _second_frame(weight: Floats) -> Floats:
    return weight[:, :, 1]
