"""Which targets of a swap are taken, and what is wrong with the others."""

from pathlib import Path

import pytest
from tiny_gguf import write_decoder, write_mmproj

from autoglm_phone.assemble.module_sources import ModuleSources
from autoglm_phone.core.errors import Forbidden, ModuleRefused, NoSuchModule, RequestError
from autoglm_phone.weights.importing import Wishes, import_bundle
from autoglm_phone.weights.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def mine(tmp_path: Path, store: Store) -> Path:
    """An imported bundle of a decoder, as a folder that could lie anywhere."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    write_decoder(folder / "Tiny.gguf")
    return import_bundle(store, store.find(str(folder)), Wishes("mine")).folder


def test_an_imported_bundle_is_taken_by_its_id_and_by_its_path(store: Store, mine: Path) -> None:
    sources = ModuleSources(store, ())
    for source in ("mine", str(mine), str(mine / "bundle.toml"), str(mine / "Tiny.gguf")):
        found = sources.find("text", source)
        assert found.module.files == (mine / "Tiny.gguf",)
        assert found.max_model_len == 4096


def test_other_folders_are_taken_if_the_operator_has_named_them(tmp_path: Path, store: Store, mine: Path) -> None:
    downloads = tmp_path / "downloads"
    with pytest.raises(Forbidden, match="--module-path"):
        ModuleSources(store, ()).find("text", str(downloads))
    assert ModuleSources(store, (str(downloads),)).find("text", str(downloads)).module.folder == downloads


@pytest.mark.parametrize("way", ["{home}/bundles/../../secret", "{home}/bundles/link", "/etc/passwd", "~/x", "/"])
def test_no_way_leads_out_of_the_allowed_folders(tmp_path: Path, store: Store, mine: Path, way: str) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    write_decoder(secret / "s.gguf")
    (store.imported / "link").symlink_to(secret)
    with pytest.raises(Forbidden):
        ModuleSources(store, ()).find("text", way.format(home=store.home))


def test_no_file_of_an_allowed_folder_leads_out_of_it(tmp_path: Path, store: Store, mine: Path) -> None:
    inside = store.imported / "inside"
    inside.mkdir()
    (inside / "linked.gguf").symlink_to(write_decoder(tmp_path / "outside.gguf"))
    with pytest.raises(Forbidden, match="leads out"):
        ModuleSources(store, ()).find("text", str(inside))


@pytest.mark.parametrize("name", ["gpt-4", "relative/path", "../bundles/mine", "\0", ""])
def test_what_is_neither_a_bundle_nor_a_path_is_not_there(store: Store, mine: Path, name: str) -> None:
    with pytest.raises(NoSuchModule):
        ModuleSources(store, ()).find("text", name)
    with pytest.raises(RequestError):
        ModuleSources(store, ()).find("text", f"/{name}\0")


def test_a_bundle_without_the_module_is_not_one_to_load_it_from(store: Store, mine: Path) -> None:
    with pytest.raises(NoSuchModule, match="mine has no vision module"):
        ModuleSources(store, ()).find("vision", "mine")


@pytest.mark.parametrize("fault", ["digest", "missing", "width", "encoder", "toml"])
def test_a_hostile_bundle_is_refused_before_anything_is_loaded(store: Store, mine: Path, fault: str) -> None:
    said = {
        "digest": "is damaged",
        "missing": "is missing",
        "width": "d_model = 9",
        "encoder": "which this version cannot serve",
        "toml": "unknown field",
    }[fault]
    weights, toml = mine / "Tiny.gguf", mine / "bundle.toml"
    data = weights.read_bytes()
    match fault:
        case "digest":
            weights.unlink()
            weights.write_bytes(data[:-1] + b"x")
        case "missing":
            weights.unlink()
        case "width":
            toml.write_text(toml.read_text().replace("d_model = 8", "d_model = 9"))
        case "toml":
            toml.write_text(toml.read_text() + "colour = 3\n")
        case "encoder":
            write_mmproj(mine / "mmproj.gguf")
            toml.write_text(toml.read_text().replace('format = "gguf"', 'format = "safetensors"'))
    with pytest.raises(ModuleRefused, match=said):
        ModuleSources(store, ()).find("text", "mine")
