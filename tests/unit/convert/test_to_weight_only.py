"""A tiny checkpoint in our safetensors form, read back by our reader and by the `safetensors` package."""

from pathlib import Path

import numpy as np
import pytest
from tiny_checkpoint import CONFIG, random_weights, write_checkpoint

from autoglm_phone.convert.to_weight_only import convert_weight_only
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.progress import silent
from autoglm_phone.weights.weight_only import Bits, unpack

safetensors = pytest.importorskip("safetensors.numpy", reason="pip install safetensors")


@pytest.mark.parametrize("bits", [8, 4])
def test_linear_weights_are_packed_and_the_rest_is_kept(tmp_path: Path, bits: Bits) -> None:
    source = write_checkpoint(tmp_path / "model")
    out = convert_weight_only(open_checkpoint(source), tmp_path / "out", bits, 2, silent)
    packed, weights = open_checkpoint(out), random_weights()
    assert packed.config == {**CONFIG, "autoglm_quantization": {"bits": bits, "group_size": 128}}
    assert (out / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    loaded = safetensors.load_file(out / "model.safetensors")
    assert set(loaded) == set(packed.tensors)
    layer = "model.language_model.layers.0."
    for name, of_this in (
        (f"{layer}self_attn.q_proj.weight", bits),
        (f"{layer}mlp.down_proj.weight", bits),
        ("model.visual.merger.gate_proj.weight", bits),
        ("lm_head.weight", 8),
    ):
        codes = loaded[f"{name}.codes"]
        assert codes.dtype == (np.int8 if of_this == 8 else np.uint8)
        numbers, exact = unpack(codes, loaded[f"{name}.scales"]), weights[name]
        assert numbers.shape == exact.shape
        assert np.sqrt(np.mean((numbers - exact) ** 2) / np.mean(exact**2)) < (0.01 if of_this == 8 else 0.12)
    for name in (
        "model.language_model.embed_tokens.weight",
        f"{layer}input_layernorm.weight",
        f"{layer}self_attn.q_proj.bias",
        "model.visual.patch_embed.proj.weight",
        "model.visual.blocks.0.attn.proj.weight",  # rows of 64 are no whole groups
        "model.visual.embeddings.position_embedding.weight",
    ):
        assert np.array_equal(loaded[name], weights[name])


def test_bfloat16_stays_bfloat16(tmp_path: Path) -> None:
    source = open_checkpoint(write_checkpoint(tmp_path / "model", bf16=True))
    out = open_checkpoint(convert_weight_only(source, tmp_path / "out", 8, 1, silent))
    name = "model.language_model.embed_tokens.weight"
    assert out.tensor(name).dtype == "BF16"
    assert out.data(name).tobytes() == source.data(name).tobytes()
