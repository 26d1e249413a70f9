"""A tiny GLM-4 with M-RoPE as a GGUF: random weights in float32, 256 bytes and GLM-4.1V's control tokens."""

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


def write_tiny_glm4(path: Path, *, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        drawn = random.standard_normal((rows, columns)) * 1.5 / columns**0.5
        return np.asarray(drawn, dtype=np.float32)

    def gains(width: int) -> NDArray[np.float32]:
        return random.uniform(0.5, 1.5, width).astype(np.float32)

    writer = gguf.GGUFWriter(path, "glm4")
    writer.add_name("tiny-glm4")
    writer.add_context_length(2048)
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
    _add_vocabulary(writer)
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


def vocabulary() -> dict[str, Any]:
    """The tokenizer's part of the metadata."""
    kinds = [gguf.TokenType.NORMAL] * 256
    kinds += [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.USER_DEFINED] * len(SPOKEN)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "glm4",
        "tokenizer.ggml.tokens": [*_byte_alphabet(), *CONTROL, *SPOKEN],
        "tokenizer.ggml.token_type": [int(kind) for kind in kinds],
        "tokenizer.ggml.merges": ["a a"],  # llama.cpp wants some; this one makes no token
        "tokenizer.ggml.eos_token_id": ENDS[0],
        "tokenizer.ggml.eot_token_id": ENDS[1],
        "tokenizer.chat_template": TEMPLATE,
    }


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    for key, value in vocabulary().items():
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
