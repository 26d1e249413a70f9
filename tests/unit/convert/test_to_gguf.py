"""A tiny checkpoint converted, read back by our own reader and by gguf-py, and checkpoints that are refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tiny_checkpoint import (
    CONFIG,
    FFN,
    HEAD,
    KEY_HEADS,
    SPECIAL,
    VISION_CONFIG,
    VOCAB,
    WIDTH,
    random_weights,
    shapes,
    write_checkpoint,
    write_whisper,
)

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.mix import EncoderMix, TextMix
from autoglm_phone.convert.planned import to_neox
from autoglm_phone.convert.to_gguf import Conversion, Speech, convert_encoders, convert_text
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.dequantize import Floats, dequantize
from autoglm_phone.weights.gguf_tensors import GgufTensors, read_tensors
from autoglm_phone.weights.progress import silent

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def quantiser() -> Quantiser:
    return Quantiser(LlamaLibrary())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny-9b")


def how(quantiser: Quantiser, text: TextMix, encoder: EncoderMix = "q8_0", threads: int = 2) -> Conversion:
    return Conversion(text, encoder, quantiser, threads, silent)


def numbers(file: GgufTensors, name: str) -> Floats:
    entry = file.entries[name]
    return dequantize(file.data(name), entry.type).reshape(entry.shape)


def test_the_text_has_llama_cpps_names_keys_and_order_of_rows(
    tmp_path: Path, checkpoint: Path, quantiser: Quantiser
) -> None:
    path = convert_text(open_checkpoint(checkpoint), tmp_path, how(quantiser, "f32"))
    assert [file.name for file in tmp_path.iterdir()] == ["text-f32.gguf"]
    file = read_tensors(path)
    weights = random_weights()
    assert len(file.entries) == sum(not name.startswith("model.visual") for name in weights)
    layer = "model.language_model.layers.1."
    same = {
        "token_embd.weight": "model.language_model.embed_tokens.weight",
        "output.weight": "lm_head.weight",
        "output_norm.weight": "model.language_model.norm.weight",
        "blk.1.attn_v.weight": f"{layer}self_attn.v_proj.weight",
        "blk.1.attn_norm.weight": f"{layer}input_layernorm.weight",
        "blk.1.post_attention_norm.weight": f"{layer}post_self_attn_layernorm.weight",
        "blk.1.ffn_norm.weight": f"{layer}post_attention_layernorm.weight",
        "blk.1.post_ffw_norm.weight": f"{layer}post_mlp_layernorm.weight",
        "blk.1.ffn_up.weight": f"{layer}mlp.gate_up_proj.weight",
    }
    for ours, theirs in same.items():
        assert np.array_equal(numbers(file, ours), weights[theirs]), ours
    turned = weights[f"{layer}self_attn.k_proj.weight"].reshape(KEY_HEADS, HEAD, WIDTH)
    written = numbers(file, "blk.1.attn_k.weight").reshape(KEY_HEADS, HEAD, WIDTH)
    assert np.array_equal(written[:, :16], turned[:, 0:32:2])
    assert np.array_equal(written[:, 16:32], turned[:, 1:32:2])
    assert np.array_equal(written[:, 32:], turned[:, 32:])
    metadata = file.metadata
    assert metadata["general.architecture"] == "glm4"
    assert metadata["general.name"] == "tiny-9b"
    assert metadata["glm4.rope.dimension_sections"] == [4, 6, 6, 0]
    assert metadata["glm4.rope.dimension_count"] == 32
    assert metadata["glm4.feed_forward_length"] == FFN
    assert metadata["tokenizer.ggml.eot_token_id"] == SPECIAL["<|user|>"]
    assert len(metadata["tokenizer.ggml.tokens"]) == VOCAB  # type: ignore[arg-type]  # a list
    # an independent reader agrees
    reader = gguf.GGUFReader(path)
    assert {tensor.name: tuple(tensor.shape[::-1]) for tensor in reader.tensors} == {
        name: entry.shape for name, entry in file.entries.items()
    }


def test_neighbours_turned_as_pairs_give_the_same_scores_as_halves() -> None:
    """Rotations of M-RoPE's first form (pairs of neighbours) against NeoX's, after the rows were moved."""
    random = np.random.default_rng(3)
    size, turning, heads = 16, 8, 2
    query, key = random.standard_normal((2, heads * size)).astype(np.float32)

    def turned(vector: Array, position: int, neighbours: bool) -> Array:
        angles = position * 0.3 ** np.arange(turning // 2)
        out = vector.reshape(heads, size).copy()
        first, second = (
            (np.s_[:, 0:turning:2], np.s_[:, 1:turning:2])
            if neighbours
            else (np.s_[:, : turning // 2], np.s_[:, turning // 2 : turning])
        )
        even, odd = out[first].copy(), out[second].copy()
        out[first] = even * np.cos(angles) - odd * np.sin(angles)
        out[second] = odd * np.cos(angles) + even * np.sin(angles)
        return out

    moved = [to_neox(vector, size, turning) for vector in (query, key)]
    before = (turned(query, 5, neighbours=True) * turned(key, 2, neighbours=True)).sum(axis=1)
    after = (turned(moved[0], 5, neighbours=False) * turned(moved[1], 2, neighbours=False)).sum(axis=1)
    np.testing.assert_allclose(before, after, rtol=1e-5)


@pytest.mark.parametrize("mix", ["f16", "q8_0", "q4_k_m", "q4_0"])
def test_every_format_is_near_the_weights_and_read_alike_by_gguf_py(
    tmp_path: Path, checkpoint: Path, quantiser: Quantiser, mix: TextMix
) -> None:
    path = convert_text(open_checkpoint(checkpoint), tmp_path, how(quantiser, mix))
    file, exact = read_tensors(path), random_weights()
    limit = {"f16": 1e-3, "q8_0": 0.01, "q4_k_m": 0.09, "q4_0": 0.11}[mix]
    for tensor in gguf.GGUFReader(path).tensors:
        theirs = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(-1)
        assert np.array_equal(numbers(file, tensor.name).reshape(-1), theirs), tensor.name
    for ours, source in (
        ("token_embd.weight", "model.language_model.embed_tokens.weight"),
        ("blk.0.ffn_down.weight", "model.language_model.layers.0.mlp.down_proj.weight"),
        ("output.weight", "lm_head.weight"),
    ):
        error = np.sqrt(np.mean((numbers(file, ours) - exact[source]) ** 2) / np.mean(exact[source] ** 2))
        assert error < limit, (ours, error)


def test_bfloat16_and_early_names_are_read_too(tmp_path: Path, quantiser: Quantiser) -> None:
    """Checkpoints from before transformers 5: a flat config, no `language_model.`, rope_scaling."""
    weights = {
        name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): array
        for name, array in random_weights().items()
    }
    text = dict(CONFIG["text_config"])
    rope = text.pop("rope_parameters")
    config = {
        **text,
        "model_type": "glm4v",
        "rope_theta": 5000.0,
        "partial_rotary_factor": 0.5,
        "rope_scaling": {"type": "default", "mrope_section": rope["mrope_section"]},
        "vision_config": VISION_CONFIG,
    }
    folder = write_checkpoint(tmp_path / "old", weights, config, bf16=True)
    old = open_checkpoint(folder)
    file = read_tensors(convert_text(old, tmp_path / "out", how(quantiser, "f32")))
    assert file.metadata["glm4.rope.freq_base"] == 5000.0
    kept = weights["model.embed_tokens.weight"].view(np.uint32) >> 16 << 16
    assert np.array_equal(numbers(file, "token_embd.weight").view(np.uint32), kept)
    assert convert_encoders(old, tmp_path / "out", how(quantiser, "f32")) is not None


def test_the_vision_encoder_has_llama_cpps_names_and_two_convolutions(
    tmp_path: Path, checkpoint: Path, quantiser: Quantiser
) -> None:
    path = convert_encoders(open_checkpoint(checkpoint), tmp_path, how(quantiser, "f32", "f32"))
    assert path == tmp_path / "mmproj-f32.gguf"
    file, weights = read_tensors(path), random_weights()
    assert file.metadata["clip.projector_type"] == "glm4v"
    assert len(file.entries) == 1 + sum(name.startswith("model.visual") for name in weights)
    patches = weights["model.visual.patch_embed.proj.weight"]
    assert np.array_equal(numbers(file, "v.patch_embd.weight"), patches[:, :, 0])
    assert np.array_equal(numbers(file, "v.patch_embd.weight.1"), patches[:, :, 1])
    assert np.array_equal(numbers(file, "mm.patch_merger.weight"), weights["model.visual.downsample.weight"])
    blocks = read_tensors(convert_encoders(open_checkpoint(checkpoint), tmp_path, how(quantiser, "f32")) or path)
    assert blocks.entries["v.blk.0.attn_qkv.weight"].type.name == "Q8_0"


def test_two_encoders_stand_in_one_file(tmp_path: Path, checkpoint: Path, quantiser: Quantiser) -> None:
    heard = open_checkpoint(write_whisper(tmp_path / "whisper"))
    path = convert_encoders(
        open_checkpoint(checkpoint), tmp_path, how(quantiser, "f32"), Speech(encoder=heard, projector=heard)
    )
    assert path is not None
    file = read_tensors(path)
    assert "clip.projector_type" not in file.metadata
    assert file.metadata["clip.vision.projector_type"] == "glm4v"
    assert file.metadata["clip.audio.projector_type"] == "ultravox"
    assert file.metadata["clip.audio.projector.stack_factor"] == 6
    types = {name: (entry.type.name, entry.shape) for name, entry in file.entries.items()}
    assert types["a.conv1d.1.weight"] == ("F16", (64, 80, 3))
    assert types["a.conv1d.1.bias"] == ("F32", (64, 1))
    assert types["a.position_embd.weight"] == ("F32", (1500, 64))
    assert types["mm.a.mlp.2.weight"] == ("Q8_0", (WIDTH, 64))
    assert not any(name.startswith("a.blk.0.attn_k.bias") for name in types)


def test_a_projector_that_does_not_fit_is_refused(tmp_path: Path, checkpoint: Path, quantiser: Quantiser) -> None:
    heard = open_checkpoint(write_whisper(tmp_path / "whisper", stack=8))  # 1,500 frames are 187.5 times 8
    with pytest.raises(BundleError, match=r"ln_pre.weight.*divisor of 1500"):
        convert_encoders(open_checkpoint(checkpoint), tmp_path, how(quantiser, "f32"), Speech(heard, heard))


def changed(**fields: Any) -> dict[str, Any]:
    return {**CONFIG, "text_config": {**CONFIG["text_config"], **fields}}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (changed(hidden_size="wide"), r"text_config: .*hidden_size"),
        (changed(hidden_size=2**40), r"text_config: .*hidden_size"),
        (changed(num_hidden_layers=10**6), r"text_config: .*num_hidden_layers"),
        (changed(num_hidden_layers=0), r"text_config: .*num_hidden_layers"),
        (changed(num_key_value_heads=3), "query heads do not go into 3 groups"),
        (changed(rms_norm_eps=-1), "rms_norm_eps"),
        (changed(hidden_act="relu"), "hidden_act"),
        (changed(rope_parameters={"mrope_section": [8, 12]}), "mrope_section"),
        (changed(rope_parameters={"mrope_section": [8, 12, 12], "partial_rotary_factor": 0.5}), "sections"),
        ({**CONFIG, "text_config": []}, "text_config"),
        ({}, r"config\.json makes it"),
        (changed(num_hidden_layers=3), "no tensor 'model.language_model.layers.2.input_layernorm.weight'"),
        (changed(num_hidden_layers=1), "have no place in the result, such as 'model.language_model.layers.1"),
        (
            changed(intermediate_size=2 * FFN),
            r"gate_up_proj.weight' is \(768, 256\); config.json makes it \(1536, 256\)",
        ),
    ],
)
def test_a_config_that_cannot_be_is_refused_by_its_field(
    tmp_path: Path, quantiser: Quantiser, config: Mapping[str, Any], said: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", config=config)
    with pytest.raises(BundleError, match=said):
        convert_text(open_checkpoint(folder), tmp_path / "out", how(quantiser, "q4_k_m"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"patch_size": 0}, "patch_size"),
        ({"temporal_patch_size": 3}, "temporal_patch_size"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"num_heads": 5}, "does not go into 5 heads"),
        ({"spatial_merge_size": 1}, "spatial_merge_size is 1"),
        ({"out_hidden_size": 128}, "out_hidden_size"),
    ],
)
def test_a_vision_config_that_cannot_be_is_refused_by_its_field(
    tmp_path: Path, quantiser: Quantiser, change: dict[str, Any], said: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", config={**CONFIG, "vision_config": {**VISION_CONFIG, **change}})
    with pytest.raises(BundleError, match=rf"config\.json, vision_config: .*{said}|{said}"):
        convert_encoders(open_checkpoint(folder), tmp_path / "out", how(quantiser, "q4_k_m"))


@pytest.mark.parametrize(("number", "mix"), [(np.nan, "q8_0"), (np.inf, "f32"), (1e30, "f16"), (1e30, "q4_k_m")])
def test_numbers_that_do_not_fit_name_their_tensor(
    tmp_path: Path, quantiser: Quantiser, number: float, mix: TextMix
) -> None:
    weights = random_weights()
    weights["model.language_model.layers.1.mlp.down_proj.weight"][3, 5] = number
    folder = write_checkpoint(tmp_path / "model", weights)
    with pytest.raises(BundleError, match=r"layers\.1\.mlp\.down_proj|blk\.1\.ffn_down"):
        convert_text(open_checkpoint(folder), tmp_path / "out", how(quantiser, mix))
    assert not list((tmp_path / "out").glob("*.gguf"))


def test_another_fine_tune_of_the_same_shapes_is_another_file(tmp_path: Path, quantiser: Quantiser) -> None:
    first = open_checkpoint(write_checkpoint(tmp_path / "model"))
    path = convert_text(first, tmp_path, how(quantiser, "q8_0"))
    before = path.read_bytes()
    second = open_checkpoint(write_checkpoint(tmp_path / "model", random_weights(seed=1)))
    convert_text(second, tmp_path, how(quantiser, "q8_0"))
    assert path.read_bytes() != before
    assert len(path.read_bytes()) == len(before)


def test_the_tiny_checkpoint_has_the_shapes_that_it_says() -> None:
    assert shapes()["model.visual.downsample.weight"] == (WIDTH, 64, 2, 2)
