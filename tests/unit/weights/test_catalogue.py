from pathlib import Path

import pytest
from small_bundle import write_bundle

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import Digest
from autoglm_phone.weights.catalogue import CATALOGUE, bundle_ids, find_bundle


def not_asked(path: Path) -> Digest:
    raise AssertionError(path)


@pytest.mark.parametrize("bundle_id", bundle_ids())
def test_each_bundle_of_the_catalogue_is_complete_and_licensed(bundle_id: str) -> None:
    bundle = find_bundle(bundle_id, not_asked)
    assert bundle.id == bundle_id
    assert set(bundle.modules) == {"text", "speech", "vision"}
    assert bundle.max_model_len == 8192
    for module in bundle.modules.values():
        assert all(file.parts for file in module.files)
        assert (module.package is None) == (module.hub is not None)
    texts = bundle.licence_texts.values()
    assert all(found and all(path.is_file() for path in found) for found in texts), "each module has its licence's text"
    notice = (CATALOGUE / "licences" / "NOTICE").read_text()
    assert all((CATALOGUE / "licences" / name).is_file() for name in notice.split() if name.endswith(".txt"))


def test_short_names_mean_the_catalogue() -> None:
    assert find_bundle("nano", not_asked).id == "autoglm-phone-nano"
    assert find_bundle("nano-plus", not_asked).id == "autoglm-phone-nano-plus"


def test_both_bundles_share_their_eyes_and_ears() -> None:
    nano, plus = (find_bundle(name, not_asked) for name in ("nano", "nano-plus"))
    assert nano.modules["speech"].digest == plus.modules["speech"].digest
    assert nano.modules["vision"].digest == plus.modules["vision"].digest
    assert nano.text.digest != plus.text.digest


def test_a_folder_of_the_user_is_a_bundle(tmp_path: Path) -> None:
    assert find_bundle(str(write_bundle(tmp_path / "mine")), not_asked).folder == tmp_path / "mine"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BundleError, match="autoglm-phone-nano, autoglm-phone-nano-plus"):
        find_bundle("gpt-4", not_asked)


def test_a_bare_file_must_be_a_gguf(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(BundleError, match="not a GGUF"):
        find_bundle(str(path), lambda _: Digest("0" * 64))


def test_a_bare_gguf_is_a_decoder_alone(tmp_path: Path) -> None:
    path = tmp_path / "my-model.gguf"
    path.write_bytes(gguf({"general.architecture": "llama", "general.name": "Mine"}, {"llama.context_length": 2048}))
    bundle = find_bundle(str(path), lambda _: Digest("0" * 64))
    assert (bundle.id, bundle.title, bundle.text.arch) == ("my-model", "Mine", "llama")
    assert bundle.max_model_len == 2048
    assert set(bundle.modules) == {"text"}


def gguf(words: dict[str, str], numbers: dict[str, int]) -> bytes:
    """A GGUF without tensors. Source of the layout: docs/gguf.md of ggml."""
    entries = [string(key) + (8).to_bytes(4, "little") + string(value) for key, value in words.items()]
    entries += [string(key) + (4).to_bytes(4, "little") + value.to_bytes(4, "little") for key, value in numbers.items()]
    counts = (0).to_bytes(8, "little") + len(entries).to_bytes(8, "little")
    return b"GGUF" + (3).to_bytes(4, "little") + counts + b"".join(entries)


def string(text: str) -> bytes:
    return len(text).to_bytes(8, "little") + text.encode()
