"""run_autoglm_server.sh, with a set-up step and a server that only say what they were asked for."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SET_UP = 'echo "setup $*"\n'
SERVER = '#!/bin/sh\necho "server $* model=${AUTOGLM_MODEL-}"\n'


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A repository with the true script; its name has a space, as folders do."""
    root = tmp_path / "a folder"
    (root / "scripts").mkdir(parents=True)
    (root / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "run_autoglm_server.sh", root)
    (root / "scripts/setup.sh").write_text(SET_UP)
    (root / ".venv/bin/autoglm-phone").write_text(SERVER)
    (root / ".venv/bin/autoglm-phone").chmod(0o755)
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "model files"
    folder.mkdir()
    return folder


def start(script: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(["sh", str(script), *words], env=env, capture_output=True, text=True, check=False)


def said(root: Path, *words: str, **variables: str) -> list[str]:
    """The bundle that was put together, and what the server was told."""
    done = start(root / "run_autoglm_server.sh", *words, **variables)
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert first == "setup venv requirements.lock"
    return others


def test_without_a_word_the_embedded_default_is_served(installed: Path, home: Path) -> None:
    expected = ["setup bundle autoglm-phone-nano", "server serve model="]
    assert said(installed) == expected
    assert said(installed, AUTOGLM_HOME=str(home)) == expected


def test_a_named_model_is_put_together(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('port = 1\nmodel = "from-file"\n')
    config = ("--config", str(tmp_path / "settings.toml"))
    assert said(installed, "--model", "mine")[0] == "setup bundle mine"
    assert said(installed, "--model=mine", AUTOGLM_MODEL="other")[0] == "setup bundle mine"
    assert said(installed, AUTOGLM_MODEL="other")[0] == "setup bundle other"
    assert said(installed, *config)[0] == "setup bundle from-file"


def test_a_model_that_lies_in_the_model_folder_is_served(installed: Path, home: Path) -> None:
    (home / "my model.gguf").touch()
    assert said(installed, "--port", "1", AUTOGLM_HOME=str(home)) == [
        f"setup bundle {home}/my model.gguf",
        f"server serve --port 1 model={home}/my model.gguf",
    ]
    (home / "bundle.toml").touch()
    assert said(installed, AUTOGLM_HOME=str(home))[1] == f"server serve model={home}"


def test_a_name_outweighs_what_lies_in_the_folder(installed: Path, home: Path) -> None:
    (home / "a.gguf").touch()
    (home / "b.gguf").touch()
    assert said(installed, "--model", "mine", AUTOGLM_HOME=str(home))[0] == "setup bundle mine"


def test_of_several_files_none_is_guessed(installed: Path, home: Path) -> None:
    (home / "a.gguf").touch()
    (home / "b.gguf").touch()
    done = start(installed / "run_autoglm_server.sh", AUTOGLM_HOME=str(home))
    assert done.returncode == 1
    assert "--model" in done.stderr
    assert "b.gguf" in done.stderr
    assert "server" not in done.stdout


def test_it_finds_its_folder_through_a_link(installed: Path, tmp_path: Path) -> None:
    link = tmp_path / "run"
    link.symlink_to(installed / "run_autoglm_server.sh")
    assert start(link).stdout.splitlines()[-1] == "server serve model="


def test_asking_for_help_or_the_version_fetches_no_model(installed: Path) -> None:
    assert said(installed, "--help") == ["server serve --help model="]
    assert said(installed, "--version") == ["server --version model="]
