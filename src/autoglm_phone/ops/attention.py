"""Attention of one sequence, by PyTorch's scaled_dot_product_attention.

Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.2; grouped heads: Ainslie et al. 2023 (arXiv 2305.13245).
"""

import torch
from torch import Tensor
from torch.nn import functional


def attention(q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
    """q (T, H, D), k and v (S, K, D) -> (T, H * D). H is a multiple of K.

    Causal: the T queries are those of the last T of the S keys' tokens, and see no later one.
    Softmax runs in float32 whatever the input type.
    """
    num_queries, num_keys = len(q), len(k)
    mask = None
    if is_causal and 1 < num_queries < num_keys:  # is_causal alone would count from the first key
        mask = torch.ones(num_queries, num_keys, dtype=torch.bool, device=q.device).tril(num_keys - num_queries)
    is_grouped = q.shape[1] != k.shape[1]
    q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))  # (1, heads, tokens, D)
    out = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=is_causal and num_queries == num_keys, enable_gqa=is_grouped
    )
    return out[0].transpose(0, 1).flatten(1)
