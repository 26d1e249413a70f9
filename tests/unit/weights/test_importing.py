from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from small_bundle import small_bundle
from tiny_gguf import write_decoder, write_mmproj

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.bundle import load_bundle
from autoglm_phone.weights.bundle_file import to_toml, write_bundle
from autoglm_phone.weights.catalogue import CATALOGUE, bundle_ids
from autoglm_phone.weights.importing import Wishes, import_bundle
from autoglm_phone.weights.module_spec import FileSpec, ProjectorSpec, Widths
from autoglm_phone.weights.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    write_decoder(folder / "Tiny-Q4_K_M.gguf")
    write_mmproj(folder / "Tiny-mmproj.gguf")
    (folder / "LICENSE").write_text("You may.")
    return folder


@pytest.mark.parametrize("bundle_id", bundle_ids())
def test_what_is_written_is_read_back(tmp_path: Path, bundle_id: str) -> None:
    bundle = load_bundle(CATALOGUE / bundle_id)
    write_bundle(bundle, tmp_path, {})
    assert replace(load_bundle(tmp_path), folder=bundle.folder) == bundle


def test_projectors_templates_and_odd_words_are_written_too(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "small")
    file = FileSpec("p.safetensors", 3, "1" * 64)
    text = msgspec.structs.replace(bundle.text, widths=Widths(d_model=8), template=FileSpec("t.jinja", 2, "2" * 64))
    ears = msgspec.structs.replace(
        bundle.modules["speech"],
        kind="encoder",
        format="gguf",
        limits='says "no"\\ \x7f\n好',
        licence_files=("MIT.txt",),
        widths=Widths(d_out=6),
        projector=ProjectorSpec("safetensors", "mlp", (file,), Widths(d_in=6, d_out=8)),
    )
    odd = replace(bundle, modules={"text": text, "speech": ears})
    write_bundle(odd, tmp_path / "odd", {})
    assert replace(load_bundle(tmp_path / "odd"), folder=odd.folder) == odd
    assert "template" in to_toml(odd)


def test_a_pair_becomes_a_bundle_with_its_licence(store: Store, pair: Path) -> None:
    bundle = import_bundle(store, store.find(str(pair)), Wishes("mine", licence="MIT", prompt="Be brief."))
    assert bundle == store.find("mine")
    assert (bundle.id, bundle.licence, bundle.system_prompt) == ("mine", "MIT", "Be brief.")
    assert {module.licence for module in bundle.modules.values()} == {"MIT"}
    assert {path.read_text() for texts in bundle.licence_texts.values() for path in texts} == {"You may."}
    for module in store.locate(bundle).values():
        assert module.folder == store.imported / "mine"
    for file in pair.iterdir():
        file.unlink()
    assert store.faults(bundle) == []


def test_it_may_stay_where_it_is(store: Store, pair: Path) -> None:
    bundle = import_bundle(store, store.find(str(pair)), Wishes("mine", beside=True))
    assert bundle.folder == pair
    assert store.find(str(pair)) == bundle
    assert not store.imported.exists()


def test_an_id_that_is_taken_or_is_none_is_refused(store: Store, pair: Path) -> None:
    found = store.find(str(pair))
    import_bundle(store, found, Wishes("mine"))
    with pytest.raises(BundleError, match="holds a bundle already"):
        import_bundle(store, found, Wishes("mine"))
    with pytest.raises(BundleError, match="is no name"):
        import_bundle(store, found, Wishes("../mine"))


def test_files_of_one_name_and_two_contents_are_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "home" / "bundles" / "mine").mkdir(parents=True)
    (tmp_path / "home" / "bundles" / "mine" / "text.gguf").write_bytes(b"another")
    folder = tmp_path / "one"
    folder.mkdir()
    write_decoder(folder / "text.gguf")
    with pytest.raises(BundleError, match="different contents"):
        import_bundle(store, store.find(str(folder)), Wishes("mine"))


def test_a_file_that_contradicts_its_bundle_is_not_taken(store: Store, pair: Path) -> None:
    found = store.find(str(pair))
    wrong = msgspec.structs.replace(found.text, widths=Widths(d_model=9))
    with pytest.raises(BundleError, match=r"d_model = 9, and glm4.embedding_length"):
        import_bundle(store, replace(found, modules={**found.modules, "text": wrong}), Wishes("mine"))
    assert not (store.imported / "mine").exists()
