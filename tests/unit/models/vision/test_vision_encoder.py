"""Embeddings of pictures against transformers' vision model, from a checkpoint's tensors and from an mmproj file."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_glm4v import SETTINGS, reference, relative_error, tensors
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import Glm4vForConditionalGeneration
from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil

from autoglm_phone.core.errors import BundleError, GivenUp
from autoglm_phone.models.vision.encoder import VisionEncoder
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.weights.encoder_files import open_encoder

Floats = np.ndarray[Any, np.dtype[np.float32]]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]

BUDGET = PixelBudget(max_pixels=100_000)
VISION: dict[str, Any] = SETTINGS["vision_config"]


def picture(width: int, height: int) -> Pixels:
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def encoder() -> VisionEncoder:
    return VisionEncoder.of_checkpoint(SETTINGS, tensors(), budget=BUDGET)


def their_embeddings(pixels: Pixels, model: Glm4vForConditionalGeneration | None = None) -> Floats:
    processor = Glm4vImageProcessorPil(size={"shortest_edge": BUDGET.min_pixels, "longest_edge": BUDGET.max_pixels})
    taken = processor(pixels, return_tensors="pt")
    with torch.inference_mode():
        found = (model or reference()).model.get_image_features(taken["pixel_values"], taken["image_grid_thw"])
    embeddings: Floats = found.pooler_output[0].float().numpy()
    return embeddings


@pytest.mark.parametrize("size", [(84, 84), (84, 168), (200, 90), (120, 400)], ids=str)
def test_embeddings_are_those_of_the_reference(encoder: VisionEncoder, size: tuple[int, int]) -> None:
    pixels = picture(*size)
    ours = encoder.encode(pixels)
    assert ours.dtype == np.float32
    assert relative_error(ours, their_embeddings(pixels)) < 1e-5


@settings(max_examples=20)
@given(width=st.integers(1, 500), height=st.integers(3, 500))
def test_the_number_of_tokens_is_known_before(encoder: VisionEncoder, width: int, height: int) -> None:
    embeddings = encoder.encode(picture(width, height))
    assert embeddings.shape == (encoder.num_tokens(width, height), VISION["out_hidden_size"])


def test_bf16_is_as_near_as_the_reference_in_bf16(encoder: VisionEncoder) -> None:
    pixels = picture(112, 84)
    exact = encoder.encode(pixels)
    half = VisionEncoder.of_checkpoint(SETTINGS, tensors(), budget=BUDGET, dtype=torch.bfloat16).encode(pixels)
    theirs = their_embeddings(pixels, deepcopy(reference()).to(torch.bfloat16))
    assert np.linalg.norm(half - exact) < 1.2 * np.linalg.norm(theirs - exact)


def mmproj(path: Path) -> Path:
    """As llama.cpp's converter writes it; the names come from the `gguf` package's own table."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, VISION["depth"])
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_clip_projector_type(gguf.VisionProjectorType.GLM4V)
    writer.add_clip_has_vision_encoder(True)
    writer.add_vision_image_size(VISION["image_size"])
    writer.add_vision_patch_size(VISION["patch_size"])
    writer.add_vision_embedding_length(VISION["hidden_size"])
    writer.add_vision_feed_forward_length(VISION["intermediate_size"])
    writer.add_vision_block_count(VISION["depth"])
    writer.add_vision_head_count(VISION["num_heads"])
    writer.add_vision_attention_layernorm_eps(VISION["rms_norm_eps"])
    writer.add_vision_use_silu(True)
    for name, tensor in tensors().items():
        if not name.startswith("model.visual."):
            continue
        theirs = name.removeprefix("model.")
        if theirs == "visual.patch_embed.proj.weight":
            writer.add_tensor("v.patch_embd.weight", np.ascontiguousarray(tensor[:, :, 0]))
            writer.add_tensor("v.patch_embd.weight.1", np.ascontiguousarray(tensor[:, :, 1]))
            continue
        known = names.get_name(theirs, (".weight", ".bias"))
        assert known is not None, theirs
        writer.add_tensor(known, tensor)
    # of a speech encoder in the same file
    for other in ("a.post_ln.weight", "mm.a.mlp.1.weight", "v.boi", "v.eoi"):
        writer.add_tensor(other, np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_an_mmproj_file_gives_the_same(encoder: VisionEncoder, tmp_path: Path) -> None:
    file = open_encoder([mmproj(tmp_path / "mmproj.gguf")])
    from_file = VisionEncoder.of_files(file, budget=BUDGET)
    assert replace(from_file.config, norm_eps=1e-5) == encoder.config  # the file has it in single precision
    pixels = picture(140, 84)
    assert relative_error(from_file.encode(pixels), encoder.encode(pixels)) < 1e-6


def test_what_is_missing_or_left_over_is_named() -> None:
    whole = tensors()
    less = {name: tensor for name, tensor in whole.items() if name != "model.visual.blocks.1.norm2.weight"}
    with pytest.raises(BundleError, match=r"lack model\.visual\.blocks\.1\.norm2\.weight"):
        VisionEncoder.of_checkpoint(SETTINGS, less, budget=BUDGET)
    with pytest.raises(BundleError, match=r"hold model\.visual\.more"):
        VisionEncoder.of_checkpoint(SETTINGS, whole | {"model.visual.more": np.ones(1, np.float32)}, budget=BUDGET)
    wrong = whole | {"model.visual.downsample.bias": np.ones(3, np.float32)}
    with pytest.raises(BundleError, match=r"downsample\.bias give \(3,\), the configuration asks for \(64,\)"):
        VisionEncoder.of_checkpoint(SETTINGS, wrong, budget=BUDGET)


def test_an_older_checkpoint_is_read_too(encoder: VisionEncoder) -> None:
    older = {name.removeprefix("model."): tensor for name, tensor in tensors().items()}
    pixels = picture(84, 112)
    read = VisionEncoder.of_checkpoint(SETTINGS, older, budget=BUDGET)
    assert np.array_equal(read.encode(pixels), encoder.encode(pixels))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("depth", 10**9),
        ("num_heads", 0),
        ("hidden_size", -1),
        ("patch_size", "14"),
        ("num_heads", 5),
        ("hidden_act", "gelu"),
    ],
)
def test_a_hostile_configuration_is_refused(field: str, value: object) -> None:
    with pytest.raises(BundleError, match=r"vision_config|vision encoder"):
        VisionEncoder.of_checkpoint({"vision_config": VISION | {field: value}}, tensors(), budget=BUDGET)


def test_what_a_checkpoint_raises_ends_the_encoding_before_its_next_layer(encoder: VisionEncoder) -> None:
    num_layers = VISION["depth"]
    whole = encoder.encode(picture(84, 84))
    for num_wanted in range(num_layers):
        passed: list[int] = []

        def checkpoint(passed: list[int] = passed, num_wanted: int = num_wanted) -> None:
            if len(passed) == num_wanted:
                raise GivenUp("nobody waits")
            passed.append(len(passed))

        layers: list[int] = []
        with counted_layers(layers), pytest.raises(GivenUp):
            encoder.encode(picture(84, 84), checkpoint)
        assert len(layers) == num_wanted
    layers = []
    with counted_layers(layers):
        assert (encoder.encode(picture(84, 84)) == whole).all()
    assert len(layers) == num_layers


@contextmanager
def counted_layers(into: list[int]) -> Iterator[None]:
    """Attention's softmax runs once a layer, whoever asks for it."""
    real = functional.scaled_dot_product_attention

    def counting(*args: Any, **kwargs: Any) -> torch.Tensor:
        into.append(len(into))
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", counting)
        yield


def test_operations_are_those_that_are_computed(encoder: VisionEncoder) -> None:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the faster one is not counted
        encoder.encode(picture(120, 400))
    assert encoder.num_operations(120, 400) == counter.get_total_flops()
