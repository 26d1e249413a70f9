"""The GLM-4 decoder of GLM-4.1V and AutoGLM-Phone-9B: embeddings of one sequence to logits.

    tokens -> embed -> layers -> norm -> head -> logits

A layer has four norms: one before and one behind each of attention and feed-forward part. Pictures and sounds come in
as embeddings in the place of tokens. The plain reference of every faster path; knows no files and no batches.
Source: github.com/huggingface/transformers, models/glm4v/modeling_glm4v.py.
"""

import torch
from torch import Tensor, nn

from autoglm_phone.models.text.config import DecoderConfig
from autoglm_phone.models.text.kv_cache import KvCache
from autoglm_phone.ops.attention import attention
from autoglm_phone.ops.norm import RmsNorm
from autoglm_phone.ops.rope import rope_angles, rotate_pairs
from autoglm_phone.ops.swiglu import SwiGlu


class Glm4Decoder(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.num_layers))
        self.norm = RmsNorm(config.d_model, config.norm_eps)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    def forward(self, embeddings: Tensor, positions: Tensor, cache: KvCache | None = None) -> Tensor:
        """embeddings (T, C), positions (3, T) -> hidden states (T, C), normed: `head` makes logits of them.

        With a cache the tokens come behind those in it, and are put into it. All T are one prefill chunk or, with
        T = 1, a decode step.
        """
        angles = mrope_angles(positions, self.config)
        x = embeddings
        for layer in self.layers:
            x = layer(x, angles, cache)
        if cache is not None:
            cache.count(len(embeddings))
        normed: Tensor = self.norm(x)
        return normed


class Layer(nn.Module):
    def __init__(self, config: DecoderConfig, index: int) -> None:
        super().__init__()
        self.attention_norm = RmsNorm(config.d_model, config.norm_eps)
        self.attention = Attention(config, index)
        self.attention_post_norm = RmsNorm(config.d_model, config.norm_eps)
        self.ff_norm = RmsNorm(config.d_model, config.norm_eps)
        self.ff = SwiGlu(config.d_model, config.d_ff)
        self.ff_post_norm = RmsNorm(config.d_model, config.norm_eps)

    def forward(self, x: Tensor, angles: Tensor, cache: KvCache | None) -> Tensor:
        x = x + self.attention_post_norm(self.attention(self.attention_norm(x), angles, cache))
        out: Tensor = x + self.ff_post_norm(self.ff(self.ff_norm(x)))
        return out


class Attention(nn.Module):
    """Grouped: several query heads share a key-value head. Only what makes q, k and v has a bias."""

    def __init__(self, config: DecoderConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.head_size = config.head_size
        self.heads = (config.num_heads, config.num_kv_heads, config.num_kv_heads)
        self.qkv = nn.Linear(config.d_model, sum(self.heads) * config.head_size)
        self.out = nn.Linear(config.num_heads * config.head_size, config.d_model, bias=False)

    def forward(self, x: Tensor, angles: Tensor, cache: KvCache | None) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), -1, self.head_size).split(self.heads, dim=1)  # (T, H or K, D)
        q, k = rotate_pairs(q, angles), rotate_pairs(k, angles)
        if cache is not None:
            k, v = cache.put(self.index, k, v)
        out: Tensor = self.out(attention(q, k, v, is_causal=True))
        return out


def mrope_angles(positions: Tensor, config: DecoderConfig) -> Tensor:
    """positions (3, T) -> angles (T, rotary_size / 2): each section of pairs turns with an axis of its own."""
    angles = rope_angles(positions, config.rotary_size, config.rope_theta)  # (3, T, R / 2)
    if config.mrope_sections is None:
        return angles[0]
    sections = torch.split_with_sizes(angles, config.mrope_sections, dim=-1)
    return torch.cat([section[axis] for axis, section in enumerate(sections)], dim=-1)
