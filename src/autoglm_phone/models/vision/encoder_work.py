"""How much the vision encoder computes, from sizes alone. Needs no PyTorch."""

from autoglm_phone.models.vision.config import VisionConfig


def num_operations(config: VisionConfig, num_tokens: int) -> float:
    """Multiplications and additions of the matrix products for a picture; the rest is little beside them."""
    patches = num_tokens * config.merge**2
    layer = config.d_model * (4 * config.d_model + 3 * config.d_ff)  # q, k, v, out; gate, up, down
    attention = 2 * patches * config.d_model  # a patch with every patch: scores, and the sum of values
    embedding = 3 * config.patch_side**2 * config.d_model
    merger = config.d_out * (config.merge**2 * config.d_model + config.d_out + 3 * config.d_merger_ff)
    return 2.0 * (patches * (config.num_layers * (layer + attention) + embedding) + num_tokens * merger)
