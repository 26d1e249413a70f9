"""What `convert` writes, read into the PyTorch modules: the same model comes out of every form of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoint import CONFIG, VOCAB, write_checkpoint, write_whisper
from tiny_glm4v import relative_error

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.mix import TextMix
from autoglm_phone.convert.to_gguf import Conversion, Speech, convert_encoders, convert_text
from autoglm_phone.convert.to_weight_only import convert_weight_only
from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.projector.projector import Projector
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.models.text.decoder import decoder_of_checkpoint, decoder_of_gguf
from autoglm_phone.models.text.glm4 import Glm4Decoder
from autoglm_phone.models.text.positions import ImageSpan, TextSpan, mrope_positions
from autoglm_phone.models.vision.encoder import VisionEncoder
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.ops.packed_linear import PackedLinear
from autoglm_phone.weights.checkpoint import Checkpoint, open_checkpoint
from autoglm_phone.weights.encoder_files import open_encoder
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.progress import silent
from autoglm_phone.weights.tensor_map import CheckpointFloats
from autoglm_phone.weights.weight_only import Bits

Floats = np.ndarray[Any, np.dtype[np.float32]]

POSITIONS = torch.from_numpy(mrope_positions([TextSpan(4), ImageSpan(2, 5), TextSpan(9)]))
TOKENS = torch.from_numpy(np.random.default_rng(3).integers(0, VOCAB, POSITIONS.shape[1]))
PIXELS = np.random.default_rng(4).integers(0, 256, (120, 300, 3), np.uint8)
BUDGET = PixelBudget(max_pixels=200_000)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return open_checkpoint(write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny-9b"))


def how(mix: TextMix) -> Conversion:
    return Conversion(mix, "f32", Quantiser(LlamaLibrary()), 1, silent)


def logits_of(decoder: Glm4Decoder) -> Floats:
    with torch.inference_mode():
        logits: Floats = decoder.head(decoder(decoder.embed(TOKENS), POSITIONS)).numpy()
    return logits


def exact_logits(checkpoint: Checkpoint) -> Floats:
    return logits_of(decoder_of_checkpoint(CONFIG, CheckpointFloats(checkpoint)))


def distance(ours: Floats, exact: Floats) -> float:
    return float(np.linalg.norm(ours - exact) / np.linalg.norm(exact))


# What rounding to 32, 16 and 8 bits costs in two layers.
@pytest.mark.parametrize(("mix", "limit"), [("f32", 1e-5), ("f16", 2e-3), ("q8_0", 3e-2)])
def test_a_text_file_is_the_checkpoint_s_decoder(
    checkpoint: Checkpoint, tmp_path: Path, mix: TextMix, limit: float
) -> None:
    read = decoder_of_gguf(read_tensors(convert_text(checkpoint, tmp_path, how(mix))))
    assert distance(logits_of(read), exact_logits(checkpoint)) < limit


@pytest.mark.parametrize(("bits", "limit"), [(8, 3e-2), (4, 0.4)])
def test_a_packed_folder_is_the_checkpoint_s_decoder(
    checkpoint: Checkpoint, tmp_path: Path, bits: Bits, limit: float
) -> None:
    packed = open_checkpoint(convert_weight_only(checkpoint, tmp_path, bits, 1, silent))
    tensors = CheckpointFloats(packed)
    unpacked = decoder_of_checkpoint(CONFIG, tensors)
    assert distance(logits_of(unpacked), exact_logits(checkpoint)) < limit
    assert set(tensors) == set(CheckpointFloats(checkpoint))
    assert len(tensors) == len(checkpoint.tensors)

    held = decoder_of_checkpoint(packed.config, tensors)
    assert relative_error(logits_of(held), logits_of(unpacked)) < 1e-5
    head, down = held.get_submodule("head"), held.get_submodule("layers.1.ff.down")
    assert isinstance(head, PackedLinear)
    assert head.codes.dtype == torch.int8
    assert isinstance(down, PackedLinear)
    stored = packed.data("model.language_model.layers.1.mlp.down_proj.weight.codes")
    assert np.array_equal(down.codes.numpy().view(np.uint8).reshape(stored.shape), stored)


@pytest.mark.parametrize("said", [{"bits": 3, "group_size": 128}, {"bits": 4, "group_size": 64}, None])
def test_another_packing_is_refused(checkpoint: Checkpoint, said: object) -> None:
    with pytest.raises(BundleError, match="autoglm_quantization"):
        decoder_of_checkpoint(CONFIG | {"autoglm_quantization": said}, CheckpointFloats(checkpoint))


def test_an_encoders_file_is_both_encoders(checkpoint: Checkpoint, tmp_path: Path) -> None:
    ears = open_checkpoint(write_whisper(tmp_path / "whisper"))
    path = convert_encoders(checkpoint, tmp_path, how("f32"), Speech(ears, ears))
    assert path is not None
    file = open_encoder([path])

    def near(ours: Floats, exact: Floats) -> bool:
        return relative_error(ours, exact) < 1e-3  # convolutions are in half precision

    exact = VisionEncoder.of_checkpoint(CONFIG, CheckpointFloats(checkpoint), budget=BUDGET)
    assert near(VisionEncoder.of_files(file, budget=BUDGET).encode(PIXELS), exact.encode(PIXELS))

    sound = np.random.default_rng(5).normal(0, 0.1, 20_000).astype(np.float32)
    heard = SpeechEncoder.of_checkpoint(ears.config, CheckpointFloats(ears)).encode(sound)
    frames = SpeechEncoder.of_files(file).encode(sound)
    assert near(frames, heard)
    projector = Projector.of_files(file, d_in=frames.shape[1])
    assert projector.project(frames).shape == (projector.num_tokens(len(frames)), CONFIG["text_config"]["hidden_size"])
