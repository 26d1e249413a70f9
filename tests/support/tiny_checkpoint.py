"""A checkpoint of GLM-4.1V's architecture with a few thousand random weights, written by hand: no torch is needed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autoglm_phone.convert.vocabulary import SPECIAL_TOKENS, SPOKEN
from autoglm_phone.text.tokenizer import byte_alphabet

Array = np.ndarray[Any, Any]

MERGES = ["t h", "th e", "o n", "i n", "ĠĠ ĠĠ", "e r"]
WIDTH, FFN, LAYERS, HEADS, KEY_HEADS, HEAD = 256, 384, 2, 4, 2, 64
VISION_WIDTH, VISION_HEADS, VISION_LAYERS, CONTEXT, PATCH, SIDE = 64, 2, 2, 320, 14, 56

WORDS = [*byte_alphabet(), "th", "the", "on", "in", "er"]
SPECIAL = {name: len(WORDS) + place for place, name in enumerate(SPECIAL_TOKENS)}
VOCAB = 320

TEXT_CONFIG: dict[str, Any] = {
    "model_type": "glm4v_text",
    "vocab_size": VOCAB,
    "hidden_size": WIDTH,
    "intermediate_size": FFN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEY_HEADS,
    "head_dim": HEAD,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "pad_token_id": SPECIAL["<|endoftext|>"],
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [4, 6, 6],
    },
}
VISION_CONFIG: dict[str, Any] = {
    "model_type": "glm4v_vision",
    "depth": VISION_LAYERS,
    "hidden_size": VISION_WIDTH,
    "num_heads": VISION_HEADS,
    "out_hidden_size": WIDTH,
    "intermediate_size": CONTEXT,
    "image_size": SIDE,
    "patch_size": PATCH,
    "hidden_act": "silu",
}
CONFIG: dict[str, Any] = {
    "model_type": "glm4v",
    "text_config": TEXT_CONFIG,
    "vision_config": VISION_CONFIG,
    "image_token_id": SPECIAL["<|image|>"],
    "video_token_id": SPECIAL["<|video|>"],
    "image_start_token_id": SPECIAL["<|begin_of_image|>"],
    "image_end_token_id": SPECIAL["<|end_of_image|>"],
    "tie_word_embeddings": False,
}


def tokenizer_json() -> dict[str, Any]:
    """All bytes and a few words, in the form of the `tokenizers` library."""
    plain = len(SPECIAL) - SPOKEN
    added = [
        {"id": index, "content": name, "special": place < plain, "normalized": False}
        for place, (name, index) in enumerate(SPECIAL.items())
    ]
    vocab = {word: index for index, word in enumerate(WORDS)}
    merges = [merge for merge in MERGES if merge.replace(" ", "") in vocab]
    return {"added_tokens": added, "model": {"type": "BPE", "vocab": vocab, "merges": merges}}


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor as `transformers` names and shapes it."""
    found: dict[str, tuple[int, ...]] = {
        "lm_head.weight": (VOCAB, WIDTH),
        "model.language_model.embed_tokens.weight": (VOCAB, WIDTH),
        "model.language_model.norm.weight": (WIDTH,),
        "model.visual.patch_embed.proj.weight": (VISION_WIDTH, 3, 2, PATCH, PATCH),
        "model.visual.patch_embed.proj.bias": (VISION_WIDTH,),
        "model.visual.embeddings.position_embedding.weight": ((SIDE // PATCH) ** 2, VISION_WIDTH),
        "model.visual.post_conv_layernorm.weight": (VISION_WIDTH,),
        "model.visual.post_layernorm.weight": (VISION_WIDTH,),
        "model.visual.downsample.weight": (WIDTH, VISION_WIDTH, 2, 2),
        "model.visual.downsample.bias": (WIDTH,),
        "model.visual.merger.proj.weight": (WIDTH, WIDTH),
        "model.visual.merger.post_projection_norm.weight": (WIDTH,),
        "model.visual.merger.post_projection_norm.bias": (WIDTH,),
        "model.visual.merger.gate_proj.weight": (CONTEXT, WIDTH),
        "model.visual.merger.up_proj.weight": (CONTEXT, WIDTH),
        "model.visual.merger.down_proj.weight": (WIDTH, CONTEXT),
    }
    for layer in range(LAYERS):
        prefix = f"model.language_model.layers.{layer}."
        for name, heads in (("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS)):
            found[f"{prefix}self_attn.{name}_proj.weight"] = (heads * HEAD, WIDTH)
            found[f"{prefix}self_attn.{name}_proj.bias"] = (heads * HEAD,)
        found[f"{prefix}self_attn.o_proj.weight"] = (WIDTH, HEADS * HEAD)
        found[f"{prefix}mlp.gate_up_proj.weight"] = (2 * FFN, WIDTH)
        found[f"{prefix}mlp.down_proj.weight"] = (WIDTH, FFN)
        norms = ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm")
        found |= {f"{prefix}{norm}.weight": (WIDTH,) for norm in norms}
    for layer in range(VISION_LAYERS):
        prefix = f"model.visual.blocks.{layer}."
        found |= {f"{prefix}{norm}.weight": (VISION_WIDTH,) for norm in ("norm1", "norm2")}
        found[f"{prefix}attn.qkv.weight"] = (3 * VISION_WIDTH, VISION_WIDTH)
        found[f"{prefix}attn.proj.weight"] = (VISION_WIDTH, VISION_WIDTH)
        found[f"{prefix}mlp.gate_proj.weight"] = (WIDTH, VISION_WIDTH)
        found[f"{prefix}mlp.up_proj.weight"] = (WIDTH, VISION_WIDTH)
        found[f"{prefix}mlp.down_proj.weight"] = (VISION_WIDTH, WIDTH)
    return found


def random_weights(seed: int = 0) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    return {
        name: (random.standard_normal(shape) * 0.05 + ("norm" in name)).astype(np.float32)
        for name, shape in shapes().items()
    }


def write_safetensors(path: Path, tensors: Mapping[str, Array], *, bf16: bool = False) -> None:
    """By hand, since numpy has no bfloat16: numbers are cut to it, not rounded."""
    header: dict[str, Any] = {}
    body = b""
    for name, array in tensors.items():
        data = (array.view(np.uint32) >> 16).astype("<u2").tobytes() if bf16 else array.tobytes()
        dtype = "BF16" if bf16 else {"float32": "F32", "float16": "F16"}[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (len(body), len(body) + len(data))}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def write_checkpoint(
    folder: Path, weights: Mapping[str, Array] | None = None, config: Mapping[str, Any] = CONFIG, *, bf16: bool = False
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    write_safetensors(folder / "model.safetensors", random_weights() if weights is None else weights, bf16=bf16)
    return folder


def write_whisper(folder: Path, stack: int = 6, inner: int = 128, *, width: int = 64, seed: int = 4) -> Path:
    """A Whisper checkpoint with an Ultravox projector for the decoder above."""
    ffn, layers = width * 3 // 2, 2
    config = {
        "model_type": "whisper",
        "d_model": width,
        "encoder_layers": layers,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": ffn,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
        "activation_function": "gelu",
    }
    sizes: dict[str, tuple[int, ...]] = {
        "model.encoder.conv1.weight": (width, 80, 3),
        "model.encoder.conv1.bias": (width,),
        "model.encoder.conv2.weight": (width, width, 3),
        "model.encoder.conv2.bias": (width,),
        "model.encoder.embed_positions.weight": (1500, width),
        "model.encoder.layer_norm.weight": (width,),
        "model.encoder.layer_norm.bias": (width,),
        "model.decoder.embed_tokens.weight": (100, width),  # of no use here
        "multi_modal_projector.ln_pre.weight": (stack * width,),
        "multi_modal_projector.linear_1.weight": (inner, stack * width),
        "multi_modal_projector.ln_mid.weight": (inner // 2,),
        "multi_modal_projector.linear_2.weight": (WIDTH, inner // 2),
    }
    for layer in range(layers):
        prefix = f"model.encoder.layers.{layer}."
        for name, rows, columns in (
            ("self_attn.q_proj", width, width),
            ("self_attn.k_proj", width, width),
            ("self_attn.v_proj", width, width),
            ("self_attn.out_proj", width, width),
            ("fc1", ffn, width),
            ("fc2", width, ffn),
        ):
            sizes[f"{prefix}{name}.weight"] = (rows, columns)
            if not name.endswith("k_proj"):
                sizes[f"{prefix}{name}.bias"] = (rows,)
        for norm in ("self_attn_layer_norm", "final_layer_norm"):
            sizes |= {f"{prefix}{norm}.weight": (width,), f"{prefix}{norm}.bias": (width,)}
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {
        name: random.standard_normal(shape).astype(np.float32) * np.float32(0.05) for name, shape in sizes.items()
    }
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def write_glm_asr(folder: Path, out: int, *, width: int = 48, layers: int = 2) -> Path:
    """A GLM-ASR checkpoint whose embeddings have `out` numbers; its decoder is left out."""
    config = {
        "model_type": "glmasr",
        "audio_config": {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_mel_bins": 128,
        },
        "text_config": {"hidden_size": out},
    }
    tower, projector = "model.audio_tower.", "model.multi_modal_projector."
    sizes: dict[str, tuple[int, ...]] = {
        f"{tower}conv1.weight": (width, 128, 3),
        f"{tower}conv1.bias": (width,),
        f"{tower}conv2.weight": (width, width, 3),
        f"{tower}conv2.bias": (width,),
        f"{tower}norm.weight": (width,),
        f"{tower}norm.bias": (width,),
        f"{projector}linear_1.weight": (2 * out, 4 * width),
        f"{projector}linear_1.bias": (2 * out,),
        f"{projector}linear_2.weight": (out, 2 * out),
        f"{projector}linear_2.bias": (out,),
    }
    for layer in range(layers):
        prefix = f"{tower}layers.{layer}."
        for name, rows, columns in (
            *((f"self_attn.{part}_proj", width, width) for part in "qkvo"),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            sizes[f"{prefix}{name}.weight"] = (rows, columns)
            if not name.endswith("k_proj"):
                sizes[f"{prefix}{name}.bias"] = (rows,)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            sizes |= {f"{prefix}{norm}.weight": (width,), f"{prefix}{norm}.bias": (width,)}
    random = np.random.default_rng(8)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {
        name: random.standard_normal(shape).astype(np.float32) * np.float32(0.05) for name, shape in sizes.items()
    }
    write_safetensors(folder / "model.safetensors", tensors)
    return folder
