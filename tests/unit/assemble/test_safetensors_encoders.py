"""Encoders from safetensors as they are served: in full, in bfloat16 and packed, and from files of several names."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hearing_house import as_floats, encoder_of, hum
from tiny_checkpoint import (
    CONFIG,
    VISION_CONFIG,
    WIDTH,
    random_weights,
    write_checkpoint,
    write_safetensors,
    write_whisper,
)
from tiny_glm4v import relative_error
from torch import nn

from autoglm_phone.assemble.encoders import encoder_parts
from autoglm_phone.convert.to_weight_only import convert_weight_only, encoders_of
from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.media import Image, Waveform
from autoglm_phone.core.module import Modality
from autoglm_phone.models.projector.projector import Projector
from autoglm_phone.models.sound_encoder import SpeechModule
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.models.vision.encoder import VisionEncoder
from autoglm_phone.models.vision.grid import PixelBudget
from autoglm_phone.models.vision.picture_encoder import PictureEncoder
from autoglm_phone.ops.packed_linear import PackedLinear
from autoglm_phone.weights.checkpoint import Checkpoint, open_checkpoint
from autoglm_phone.weights.encoder_files import open_encoder
from autoglm_phone.weights.module_spec import FileSpec, ProjectorSpec, Widths
from autoglm_phone.weights.progress import silent
from autoglm_phone.weights.tensor_map import CheckpointFloats
from autoglm_phone.weights.weight_only import Bits
from autoglm_phone.weights.widths import width_faults

Floats = np.ndarray[Any, np.dtype[np.float32]]

SOUND = Waveform(as_floats(hum(70_000)), 16_000)
IMAGE = Image(np.random.default_rng(0).integers(0, 256, (112, 140, 3), np.uint8))
BUDGET = PixelBudget.of_tokens(100, 28)


def packed(checkpoint: Checkpoint, out: Path, bits: Bits) -> Checkpoint:
    return open_checkpoint(convert_weight_only(encoders_of(checkpoint), out, bits, 1, silent))


def files_of(checkpoint: Checkpoint) -> list[Path]:
    return [checkpoint.folder / "config.json", *checkpoint.files]


def seen(files: Sequence[Path]) -> Floats:
    return PictureEncoder(files, max_tokens=100, threads=1).encode(IMAGE).rows


def seen_unpacked(checkpoint: Checkpoint) -> Floats:
    return VisionEncoder.of_checkpoint(checkpoint.config, CheckpointFloats(checkpoint), budget=BUDGET).encode(
        IMAGE.pixels
    )


def heard(files: Sequence[Path]) -> Floats:
    module = SpeechModule(files, max_tokens=1000, threads=1)
    embeddings = module.encode(SOUND)
    assert len(embeddings) == module.num_tokens(SOUND)
    return embeddings.rows


def heard_unpacked(checkpoint: Checkpoint) -> Floats:
    tensors = CheckpointFloats(checkpoint)
    encoder = SpeechEncoder.of_checkpoint(checkpoint.config, tensors)
    projector = Projector.of_files(open_encoder(files_of(checkpoint)), d_in=encoder.config.d_model)
    return projector.project(encoder.encode(SOUND.samples))


Case = tuple[Modality, Callable[[Sequence[Path]], Floats], Callable[[Checkpoint], Floats]]
CASES: list[Case] = [("vision", seen, seen_unpacked), ("speech", heard, heard_unpacked)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[Modality, Checkpoint]:
    folder = tmp_path_factory.mktemp("safetensors")
    return {
        "vision": open_checkpoint(write_checkpoint(folder / "eyes")),
        "speech": open_checkpoint(write_whisper(folder / "ears", width=128)),
    }


@pytest.mark.parametrize(("modality", "served", "unpacked"), CASES)
def test_a_checkpoint_s_folder_is_served_as_it_is(
    checkpoints: dict[Modality, Checkpoint],
    modality: Modality,
    served: Callable[[Sequence[Path]], Floats],
    unpacked: Callable[[Checkpoint], Floats],
) -> None:
    checkpoint = checkpoints[modality]
    assert relative_error(served(files_of(checkpoint)), unpacked(checkpoint)) < 1e-5


@pytest.mark.parametrize(("modality", "served", "unpacked"), CASES)
@pytest.mark.parametrize(("bits", "limit"), [(8, 0.02), (4, 0.5)])
def test_packed_weights_are_served_packed(
    checkpoints: dict[Modality, Checkpoint],
    tmp_path: Path,
    bits: Bits,
    limit: float,
    modality: Modality,
    served: Callable[[Sequence[Path]], Floats],
    unpacked: Callable[[Checkpoint], Floats],
) -> None:
    """The numbers are those of the same file unpacked, and near those that it was made from."""
    checkpoint = packed(checkpoints[modality], tmp_path / "packed", bits)
    rows = served(files_of(checkpoint))
    assert relative_error(rows, unpacked(checkpoint)) < 1e-5
    exact = unpacked(checkpoints[modality])
    assert 1e-4 < np.linalg.norm(rows - exact) / np.linalg.norm(exact) < limit
    assert not any("lm_head" in name or "language_model" in name for name in checkpoint.tensors)


def held_bytes(network: nn.Module) -> int:
    layers = [layer for layer in network.modules() if isinstance(layer, PackedLinear)]
    in_full = sum(parameter.nbytes for parameter in network.parameters())
    return in_full + sum(layer.codes.nbytes + layer.scales.nbytes for layer in layers)


def layers(network: nn.Module) -> set[str]:
    return {name for name, layer in network.named_modules() if isinstance(layer, PackedLinear)}


def test_only_what_the_file_has_packed_is_held_packed_and_so_it_is_reckoned(
    checkpoints: dict[Modality, Checkpoint], tmp_path: Path
) -> None:
    full, small = (
        files_of(one) for one in (checkpoints["speech"], packed(checkpoints["speech"], tmp_path / "int4", 4))
    )
    encoder = SpeechEncoder.of_files(open_encoder(small))
    held = layers(encoder._network)
    assert "layers.0.attention.qkv" in held
    assert "layers.0.down" not in held  # rows of 192 are no whole groups
    out = encoder._network.get_submodule("layers.1.attention.out")
    assert isinstance(out, PackedLinear)
    stored = open_checkpoint(tmp_path / "int4").data("model.encoder.layers.1.self_attn.out_proj.weight.codes")
    assert np.array_equal(out.codes.numpy().view(np.uint8).reshape(stored.shape), stored)

    def weights(files: list[Path]) -> int:
        parts = encoder_parts({"speech": encoder_of(files, "speech", "ultravox")}, 100)
        return next(part.size_bytes for part in parts if part.name == "speech encoder weights")

    projector = Projector.of_files(open_encoder(small), d_in=128)
    zeros_of_keys = 2 * 128 * 4  # biases that no file has
    assert weights(small) == sum(map(held_bytes, (encoder._network, projector._network))) - zeros_of_keys
    assert weights(small) < 0.65 * weights(full)


def test_bfloat16_is_served_in_float32_where_the_cpu_is_faster_so(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "bf16", bf16=True)
    cut = {name: (one.view(np.uint32) >> 16 << 16).view(np.float32) for name, one in random_weights().items()}
    exact = VisionEncoder.of_checkpoint({"vision_config": VISION_CONFIG}, cut, budget=BUDGET).encode(IMAGE.pixels)
    rows = seen([folder / "config.json", folder / "model.safetensors"])
    assert relative_error(rows, exact) < 0.02  # bfloat16 on CPUs with tiles for it


def test_files_may_have_names_of_their_own_and_pixels_norms_are_read(
    checkpoints: dict[Modality, Checkpoint], tmp_path: Path
) -> None:
    config, weights = files_of(checkpoints["vision"])
    named = [
        tmp_path / "vision-config.json",
        tmp_path / "vision.safetensors",
        tmp_path / "vision-preprocessor_config.json",
    ]
    shutil.copyfile(config, named[0])
    shutil.copyfile(weights, named[1])
    named[2].write_text('{"image_mean": [0.5, 0.5, 0.5]}')
    assert relative_error(seen(named[:2]), seen([config, weights])) < 1e-6
    assert relative_error(seen(named), seen([config, weights])) > 0.01


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["model.safetensors"], "0 files of the encoder are called config.json"),
        (["config.json", "other-config.json", "model.safetensors"], "2 files of the encoder"),
        (["config.json", "model.safetensors", "again.safetensors"], "is in model.safetensors and in again.safetensors"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, files: list[str], words: str) -> None:
    folder = write_checkpoint(tmp_path / "eyes")
    shutil.copyfile(folder / "config.json", folder / "other-config.json")
    shutil.copyfile(folder / "model.safetensors", folder / "again.safetensors")
    with pytest.raises(BundleError, match=words):
        seen([folder / name for name in files])


def test_a_projector_that_does_not_fit_is_named(tmp_path: Path) -> None:
    other = write_whisper(tmp_path / "other", width=48)
    opened = open_encoder(files_of(open_checkpoint(other)))
    with pytest.raises(BundleError, match=r"ln_pre.weight \(288,\).*frames of 64 numbers"):
        Projector.of_files(opened, d_in=64)
    assert CONFIG["text_config"]["hidden_size"] == Projector.of_files(opened, d_in=48).config.d_out


def test_a_projector_may_stand_in_a_file_of_its_own(checkpoints: dict[Modality, Checkpoint], tmp_path: Path) -> None:
    config, _ = files_of(checkpoints["speech"])
    tensors = {name: np.array(one) for name, one in CheckpointFloats(checkpoints["speech"]).items()}
    own = {name: tensors.pop(name) for name in list(tensors) if name.startswith("multi_modal_projector.")}
    write_safetensors(tmp_path / "encoder.safetensors", tensors)
    write_safetensors(tmp_path / "projector.safetensors", own)
    apart = [config, tmp_path / "encoder.safetensors", tmp_path / "projector.safetensors"]
    assert np.array_equal(heard(apart), heard(files_of(checkpoints["speech"])))
    spec = encoder_of(apart[:2], "speech", "ultravox").spec
    files = tuple(FileSpec(path.name, path.stat().st_size, "0" * 64) for path in apart)
    for d_in, faults in ((128, 0), (100, 1)):
        projector = ProjectorSpec("safetensors", "ultravox", files[2:], Widths(d_in=d_in, d_out=WIDTH))
        module = msgspec.structs.replace(spec, widths=Widths(d_out=128), projector=projector)
        assert len(width_faults("speech", module, apart)) == faults
    whole = msgspec.structs.replace(spec, widths=Widths(d_out=WIDTH + 1))
    [fault] = width_faults("speech", whole, files_of(checkpoints["speech"]))
    assert f"linear_2.weight of model.safetensors has {WIDTH}" in fault
