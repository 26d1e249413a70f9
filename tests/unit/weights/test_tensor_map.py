"""Tensors as float32 numbers, from the formats that checkpoints and GGUF files have them in."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.tensor_map import CheckpointFloats, GgufFloats

NUMBERS = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 64)).astype(np.float32))


def test_a_checkpoint_s_floats_of_any_width_are_exact(tmp_path: Path) -> None:
    written = {str(dtype): NUMBERS.to(dtype) for dtype in (torch.float32, torch.float16, torch.bfloat16)}
    save_file(written | {"scalar": torch.tensor(2.5), "ids": torch.tensor([1, 2])}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({}))
    tensors = CheckpointFloats(open_checkpoint(tmp_path))
    assert set(tensors) == {*written, "scalar", "ids"}
    assert len(tensors) == 5
    for name, tensor in written.items():
        assert tensors[name].dtype == np.float32
        assert np.array_equal(tensors[name], tensor.float().numpy())
    assert tensors["scalar"].shape == ()
    assert tensors["scalar"] == 2.5
    with pytest.raises(BundleError, match="'ids' is of type I64"):
        tensors["ids"]
    with pytest.raises(KeyError):
        tensors["absent"]


def test_a_gguf_file_s_blocks_are_unpacked(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "glm4")
    q8 = gguf.quants.quantize(NUMBERS.numpy(), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("plain", NUMBERS.numpy())
    writer.add_tensor("blocks", q8, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors = GgufFloats(read_tensors(tmp_path / "m.gguf"))
    assert np.array_equal(tensors["plain"], NUMBERS.numpy())
    assert np.array_equal(tensors["blocks"], gguf.quants.dequantize(q8, gguf.GGMLQuantizationType.Q8_0))
    assert tensors.shape("blocks") == (2, 3, 64)
    with pytest.raises(BundleError, match=r"m\.gguf has no tensor 'absent'"):
        tensors.shape("absent")


@pytest.mark.parametrize("scales", [torch.ones(2, 2).half(), torch.ones(2, 1), torch.ones(3, 1).half()])
def test_packed_weights_whose_parts_do_not_fit_are_refused(tmp_path: Path, scales: torch.Tensor) -> None:
    codes = torch.zeros(2, 128, dtype=torch.int8)
    save_file({"x.weight.codes": codes, "x.weight.scales": scales}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    tensors = CheckpointFloats(open_checkpoint(tmp_path))
    assert list(tensors) == ["x.weight"]
    with pytest.raises(BundleError, match=r"x\.weight\."):
        tensors["x.weight"]
