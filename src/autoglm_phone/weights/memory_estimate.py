"""How much memory a decoder will take, from the number of its parameters alone: the article's estimator.

A rule of thumb for choosing a model before fetching it. `autoglm-phone estimate` reckons with the files themselves,
and what the server really took, /v1/memory says.
"""

from typing import Literal

Precision = Literal["fp32", "fp16", "bf16", "int8", "int4", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0"]

# The quantised forms of GGUF store a scale beside each block of weights: bytes of a block by weights in it.
# Source: ggml, src/ggml-common.h, the sizes of block_q8_0 and the others.
BYTES_PER_PARAM: dict[Precision, float] = {
    "fp32": 4,
    "fp16": 2,
    "bf16": 2,
    "int8": 1,
    "int4": 1 / 2,
    "q8_0": 34 / 32,
    "q6_k": 210 / 256,
    "q5_k": 176 / 256,
    "q4_k": 144 / 256,
    "q4_0": 18 / 32,
}

# What a runtime needs beside the weights, as the article reckons it.
OVERHEAD = 1.1
# Two moments of Adam for each parameter, in float32.
OPTIMISER_BYTES = 8

GIB = 2**30


def estimate_memory(
    model_params: float,
    precision: Precision,
    inference_only: bool = True,
    *,
    kv_tokens: int = 0,
    kv_bytes_per_token: int = 0,
) -> float:
    """GiB: the weights and a tenth more, and the KV cache if its size is given. The first three are the article's.

    Nine billion parameters in int4 are 4.61 by the article's formula; the 4.20 that it prints is 9e9 / 2 bytes without
    the tenth (4.19).
    Not counted: files that mix precisions (small models keep their embeddings at 8 bits), encoders, activations.
    Without inference_only also gradients, of the weights' precision, and Adam's moments.
    kv_bytes_per_token: 2 x layers x key-value heads x head size x bytes of a number.
    """
    if precision not in BYTES_PER_PARAM:
        raise ValueError(f"precision {precision!r} is not one of {', '.join(BYTES_PER_PARAM)}")
    if min(model_params, kv_tokens, kv_bytes_per_token) < 0:
        raise ValueError("parameters, tokens and bytes cannot be negative")
    per_param = BYTES_PER_PARAM[precision]
    if not inference_only:
        per_param = 2 * per_param + OPTIMISER_BYTES
    return (model_params * per_param * OVERHEAD + kv_tokens * kv_bytes_per_token) / GIB
