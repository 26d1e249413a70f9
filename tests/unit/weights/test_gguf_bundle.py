from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tiny_gguf import write_decoder, write_mmproj

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.bundle import check_served
from autoglm_phone.weights.catalogue import find_bundle
from autoglm_phone.weights.module_spec import Widths
from autoglm_phone.weights.verified import hash_file


def test_a_pair_is_a_decoder_with_eyes(tmp_path: Path) -> None:
    text = write_decoder(tmp_path / "AutoGLM-Phone-9B-Q4_K_M.gguf")
    mmproj = write_mmproj(tmp_path / "mmproj-AutoGLM-Phone-9B-F16.gguf")
    for model in (text, tmp_path):
        bundle = find_bundle(str(model), hash_file)
        vision = bundle.modules["vision"]
        assert (bundle.text.arch, bundle.text.widths) == ("glm4", Widths(d_model=8))
        assert (vision.kind, vision.arch, vision.widths) == ("encoder", "glm4v", Widths(d_out=8))
        assert [file.name for file in (*bundle.text.files, *vision.files)] == [text.name, mmproj.name]
        assert vision.digest == hash_file(mmproj)
        assert bundle.max_model_len == 4096


def test_encoders_of_another_width_belong_to_somebody_else(tmp_path: Path) -> None:
    text = write_decoder(tmp_path / "text.gguf")
    write_mmproj(tmp_path / "mmproj-other.gguf", width=16)
    (tmp_path / "mmproj-broken.gguf").write_bytes(b"GGUF")
    assert set(find_bundle(str(text), hash_file).modules) == {"text"}


def test_two_that_fit_must_be_told_apart(tmp_path: Path) -> None:
    text = write_decoder(tmp_path / "text.gguf")
    for name in ("mmproj-f16.gguf", "mmproj-q8_0.gguf"):
        write_mmproj(tmp_path / name)
    with pytest.raises(BundleError, match=r"mmproj-f16.gguf, mmproj-q8_0.gguf.*--mmproj"):
        find_bundle(str(text), hash_file)


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds neither"):
        find_bundle(str(tmp_path), hash_file)
    mmproj = write_mmproj(tmp_path / "mmproj.gguf")
    with pytest.raises(BundleError, match="encoders alone"):
        find_bundle(str(mmproj), hash_file)
    for name in ("a.gguf", "b.gguf"):
        write_decoder(tmp_path / name)
    with pytest.raises(BundleError, match=r"2 text GGUFs \(a.gguf, b.gguf\)"):
        find_bundle(str(tmp_path), hash_file)


def test_a_checkpoint_is_to_be_imported_first(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match="autoglm-phone import"):
        find_bundle(str(tmp_path), hash_file)


def test_an_encoder_that_this_version_cannot_load_is_named(tmp_path: Path) -> None:
    write_decoder(tmp_path / "text.gguf")
    write_mmproj(tmp_path / "mmproj.gguf")
    bundle = find_bundle(str(tmp_path), hash_file)
    check_served(bundle.with_only(()))
    vision = bundle.modules["vision"]
    unknown = {**bundle.modules, "vision": msgspec.structs.replace(vision, arch="unheard-of")}
    with pytest.raises(BundleError, match=r"unheard-of, which this version cannot serve.*--no-vision"):
        check_served(replace(bundle, modules=unknown))
