"""Where the real parts are: the embedded default as the user's cache holds it, and a server that serves it.

A test skips with a reason where its part is absent, unless AUTOGLM_REQUIRE_PARTS is set, as `make test` does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_server import RunningServer, served

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import Modality
from autoglm_phone.weights.store import LocatedModule, Store, cache_home
from autoglm_phone.weights.voice_bundle import voice_bundle

ROOT = Path(__file__).parents[2]


def lacking(what: str) -> None:
    """Skip, or fail where everything is meant to be there."""
    if os.environ.get("AUTOGLM_REQUIRE_PARTS"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def nano() -> dict[Modality, LocatedModule]:
    store = Store(cache_home(os.environ))
    try:
        return store.locate(store.find("autoglm-phone-nano"))
    except BundleError as error:
        lacking(str(error))
        raise


@pytest.fixture(scope="session")
def nano_gguf(nano: dict[Modality, LocatedModule]) -> Path:
    return nano["text"].files[0]


@pytest.fixture(scope="session")
def whisper_folder(nano: dict[Modality, LocatedModule]) -> Path:
    return nano["speech"].folder


@pytest.fixture(scope="session")
def voice() -> LocatedModule:
    """Once its files are there, every server here has it."""
    try:
        return Store(cache_home(os.environ)).locate(voice_bundle())["voice"]
    except BundleError as error:
        lacking(str(error))
        raise


@pytest.fixture(scope="session")
def extra_data() -> Path:
    """Real recordings and screenshots from outside the repository: AUTOGLM_TEST_DATA, or ../shared/data beside it."""
    folder = Path(os.environ.get("AUTOGLM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; AUTOGLM_TEST_DATA names a folder with audio/ and screens/")
    return folder


@pytest.fixture(scope="session")
def jfk(extra_data: Path) -> bytes:
    return (extra_data / "audio" / "jfk.flac").read_bytes()


@pytest.fixture(scope="session")
def server(nano: dict[Modality, LocatedModule]) -> Iterator[RunningServer]:
    """The real command with all modules, as a user starts it."""
    with served() as running:
        yield running
