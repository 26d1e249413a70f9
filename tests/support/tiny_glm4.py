"""A tiny GLM-4 with M-RoPE and a tiny vision encoder for it, as GGUFs of random weights in float32.

The vocabulary is 256 bytes and GLM-4.1V's control tokens.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

CONTROL = (
    "<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
    "<|begin_of_image|>", "<|end_of_image|>", "<|image|>",
)  # fmt: skip
SPOKEN = ("<think>", "</think>", "<answer>", "</answer>")
FIRST_CONTROL = 256
ENDS = (FIRST_CONTROL, FIRST_CONTROL + 4)  # of a text, and of an answer: the user's turn

WIDTH, LAYERS, HEADS, KV_HEADS, HEAD_SIZE, FEED_FORWARD = 64, 2, 4, 2, 16, 96
SECTIONS = (2, 1, 1)  # pairs of the rotated half of a head that turn with time, row and column
ROPE_BASE = 10.0  # so that the last pairs turn enough for rows and columns of a small picture to matter

VISION_LAYERS, VISION_WIDTH, VISION_HEADS, VISION_FEED_FORWARD, MERGER_FEED_FORWARD = 2, 48, 4, 64, 80
IMAGE_SIDE, PATCH_SIDE, MERGE = 84, 14, 2

# What GLM-4.1V's own template does with texts and pictures.
TEMPLATE = """[gMASK]<sop>
{%- for msg in messages %}
    {%- if msg.role == 'system' %}
<|system|>
{{ msg.content }}
    {%- elif msg.role == 'user' %}
<|user|>{{ '\\n' }}
        {%- if msg.content is string %}
{{ msg.content }}
        {%- else %}
            {%- for item in msg.content %}
                {%- if item.type == 'image' or 'image' in item %}
<|begin_of_image|><|image|><|end_of_image|>
                {%- elif item.type == 'text' %}
{{ item.text }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
    {%- elif msg.role == 'assistant' %}
<|assistant|>
{{ msg.content }}
    {%- endif %}
{%- endfor %}
{% if add_generation_prompt %}<|assistant|>
{% endif %}"""


def write_tiny_glm4(path: Path, *, seed: int = 0, window: int = 2048, shift: int = 0, template: str = TEMPLATE) -> Path:
    """shift: another vocabulary, whose byte tokens stand for the bytes so many further on."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        drawn = random.standard_normal((rows, columns)) * 1.5 / columns**0.5
        return np.asarray(drawn, dtype=np.float32)

    def gains(width: int) -> NDArray[np.float32]:
        return random.uniform(0.5, 1.5, width).astype(np.float32)

    writer = gguf.GGUFWriter(path, "glm4")
    writer.add_name("tiny-glm4")
    writer.add_context_length(window)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_SIZE)
    writer.add_value_length(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_rope_dimension_count(HEAD_SIZE // 2)
    writer.add_rope_dimension_sections([*SECTIONS, 0])
    _add_vocabulary(writer, vocabulary(shift, template))
    vocab_size = FIRST_CONTROL + len(CONTROL) + len(SPOKEN)
    writer.add_tensor("token_embd.weight", random.standard_normal((vocab_size, WIDTH)).astype(np.float32))
    writer.add_tensor("output_norm.weight", gains(WIDTH))
    writer.add_tensor("output.weight", matrix(vocab_size, WIDTH) * np.float32(2))
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            writer.add_tensor(f"{name}{norm}.weight", gains(WIDTH))
        for part, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            writer.add_tensor(f"{name}attn_{part}.weight", matrix(heads * HEAD_SIZE, WIDTH))
            writer.add_tensor(f"{name}attn_{part}.bias", random.standard_normal(heads * HEAD_SIZE).astype(np.float32))
        writer.add_tensor(f"{name}attn_output.weight", matrix(WIDTH, HEADS * HEAD_SIZE))
        writer.add_tensor(f"{name}ffn_up.weight", matrix(2 * FEED_FORWARD, WIDTH))
        writer.add_tensor(f"{name}ffn_down.weight", matrix(WIDTH, FEED_FORWARD))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tiny_mmproj(path: Path, *, seed: int = 1) -> Path:
    """The encoder, as llama.cpp's converter writes it."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> NDArray[np.float32]:
        drawn = random.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        return np.asarray(drawn, dtype=np.float32)

    def vector(width: int, around: float = 0.0) -> NDArray[np.float32]:
        return np.asarray(around + 0.2 * random.standard_normal(width), dtype=np.float32)

    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("general.type", "mmproj")
    writer.add_clip_projector_type(gguf.VisionProjectorType.GLM4V)
    writer.add_clip_has_vision_encoder(True)
    writer.add_vision_image_size(IMAGE_SIDE)
    writer.add_vision_patch_size(PATCH_SIDE)
    writer.add_vision_embedding_length(VISION_WIDTH)
    writer.add_vision_feed_forward_length(VISION_FEED_FORWARD)
    writer.add_vision_block_count(VISION_LAYERS)
    writer.add_vision_head_count(VISION_HEADS)
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_spatial_merge_size(MERGE)
    writer.add_vision_image_mean([0.48145466, 0.4578275, 0.40821073])
    writer.add_vision_image_std([0.26862954, 0.26130258, 0.27577711])
    writer.add_vision_use_silu(True)
    tensors = {
        "v.patch_embd.weight": weights(VISION_WIDTH, 3, PATCH_SIDE, PATCH_SIDE),
        "v.patch_embd.weight.1": weights(VISION_WIDTH, 3, PATCH_SIDE, PATCH_SIDE),
        "v.patch_embd.bias": vector(VISION_WIDTH),
        "v.norm_embd.weight": vector(VISION_WIDTH, 1),
        "v.position_embd.weight": weights((IMAGE_SIDE // PATCH_SIDE) ** 2, VISION_WIDTH) * np.float32(5),
        "v.post_ln.weight": vector(VISION_WIDTH, 1),
        "mm.patch_merger.weight": weights(WIDTH, VISION_WIDTH, MERGE, MERGE),
        "mm.patch_merger.bias": vector(WIDTH),
        "mm.model.fc.weight": weights(WIDTH, WIDTH),
        "mm.post_norm.weight": vector(WIDTH, 1),
        "mm.post_norm.bias": vector(WIDTH),
        "mm.gate.weight": weights(MERGER_FEED_FORWARD, WIDTH),
        "mm.up.weight": weights(MERGER_FEED_FORWARD, WIDTH),
        "mm.down.weight": weights(WIDTH, MERGER_FEED_FORWARD) * np.float32(4),  # as large as embeddings of tokens
    }
    for layer in range(VISION_LAYERS):
        tensors |= {
            f"v.blk.{layer}.ln1.weight": vector(VISION_WIDTH, 1),
            f"v.blk.{layer}.ln2.weight": vector(VISION_WIDTH, 1),
            f"v.blk.{layer}.attn_qkv.weight": weights(3 * VISION_WIDTH, VISION_WIDTH),
            f"v.blk.{layer}.attn_out.weight": weights(VISION_WIDTH, VISION_WIDTH),
            f"v.blk.{layer}.ffn_gate.weight": weights(VISION_FEED_FORWARD, VISION_WIDTH),
            f"v.blk.{layer}.ffn_up.weight": weights(VISION_FEED_FORWARD, VISION_WIDTH),
            f"v.blk.{layer}.ffn_down.weight": weights(VISION_WIDTH, VISION_FEED_FORWARD),
        }
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary(shift: int = 0, template: str = TEMPLATE) -> dict[str, Any]:
    """The tokenizer's part of the metadata."""
    kinds = [gguf.TokenType.NORMAL] * 256
    alphabet = _byte_alphabet()
    kinds += [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.USER_DEFINED] * len(SPOKEN)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "glm4",
        "tokenizer.ggml.tokens": [*alphabet[shift:], *alphabet[:shift], *CONTROL, *SPOKEN],
        "tokenizer.ggml.token_type": [int(kind) for kind in kinds],
        "tokenizer.ggml.merges": ["a a"],  # llama.cpp wants some; this one makes no token
        "tokenizer.ggml.eos_token_id": ENDS[0],
        "tokenizer.ggml.eot_token_id": ENDS[1],
        "tokenizer.chat_template": template,
    }


def _add_vocabulary(writer: gguf.GGUFWriter, entries: dict[str, Any]) -> None:
    for key, value in entries.items():
        match value:
            case str():
                writer.add_string(key, value)
            case int():
                writer.add_uint32(key, value)
            case _:
                writer.add_array(key, value)


def _byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in order (Radford et al. 2019, encoder.py)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
