"""Folders as `transformers` saves them, in one file and in shards, and hostile ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.checkpoint import MAX_CONFIG_BYTES, is_checkpoint, open_checkpoint

safetensors = pytest.importorskip("safetensors.numpy", reason="pip install safetensors")
A, B = np.ones((2, 3), np.float32), np.zeros(4, np.float16)


def written(folder: Path, weight_map: dict[str, Any] | None = None, config: str = '{"model_type": "glm4v"}') -> Path:
    """Two shards with an index, as large models come."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(config)
    safetensors.save_file({"a": A}, folder / "model-00001-of-00002.safetensors")
    safetensors.save_file({"b": B}, folder / "model-00002-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = {"metadata": {"total_size": 32}, "weight_map": names if weight_map is None else weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_tensors_are_found_in_their_shards(tmp_path: Path) -> None:
    folder = written(tmp_path / "model")
    assert is_checkpoint(folder)
    checkpoint = open_checkpoint(folder)
    assert checkpoint.config == {"model_type": "glm4v"}
    assert set(checkpoint.tensors) == {"a", "b"}
    assert checkpoint.data("a").tobytes() == A.tobytes()
    assert [path.name for path in checkpoint.files] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    with pytest.raises(BundleError, match="model has no tensor 'c'"):
        checkpoint.data("c")


def test_one_file_needs_no_index(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    safetensors.save_file({"a": A, "b": B}, tmp_path / "model.safetensors")
    assert open_checkpoint(tmp_path).data("b").tobytes() == B.tobytes()


def test_what_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    assert not is_checkpoint(tmp_path)
    with pytest.raises(BundleError, match=r"config\.json cannot be read"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"model\.safetensors cannot be read"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../model-00001-of-00002.safetensors",
        "/etc/passwd",
        "..",
        "",
        "sub/model.safetensors",
        "model.safetensors\n",
        "a\0.safetensors",
        "pytorch_model.bin",
        7,
    ],
)
def test_an_index_names_files_of_its_folder_only(tmp_path: Path, name: Any) -> None:
    with pytest.raises(BundleError, match=r"index\.json is damaged: .*weight_map"):
        open_checkpoint(written(tmp_path, {"a": name}))


@pytest.mark.parametrize(
    ("weight_map", "said"),
    [
        ({"a": "gone.safetensors"}, r"gone\.safetensors cannot be read"),
        ({"a": "model-00001-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}, "lacks tensor 'c'"),
        ({"a": "model-00002-of-00002.safetensors"}, "does not know tensor 'b'"),
        ({f"t{i}": f"m{i}.safetensors" for i in range(1001)}, "names 1001 files"),
    ],
)
def test_index_and_shards_must_agree(tmp_path: Path, weight_map: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        open_checkpoint(written(tmp_path, weight_map))


@pytest.mark.parametrize("config", ["", "[]", "{", '{"a": ' + "[" * 100_000, '{"a": 1' + "0" * 5000 + "}", '"\\ud800"'])
def test_a_hostile_config_is_refused(tmp_path: Path, config: str) -> None:
    with pytest.raises(BundleError, match=r"config\.json is damaged"):
        open_checkpoint(written(tmp_path, config=config))


def test_a_config_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"config\.json is longer"):
        open_checkpoint(written(tmp_path, config=" " * (MAX_CONFIG_BYTES + 1)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2**12), patch=st.binary(min_size=1, max_size=6))
def test_a_changed_index_is_followed_within_the_folder_or_refused(tmp_path: Path, place: int, patch: bytes) -> None:
    index = written(tmp_path) / "model.safetensors.index.json"
    damaged = bytearray(index.read_bytes())
    at = place % len(damaged)
    damaged[at : at + len(patch)] = patch
    index.write_bytes(damaged)
    try:
        checkpoint = open_checkpoint(tmp_path)
    except BundleError:
        return
    assert all(path.parent == tmp_path for path in checkpoint.files)
