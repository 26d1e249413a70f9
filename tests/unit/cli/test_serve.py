from pathlib import Path

import pytest
import typer
from small_bundle import HEARING, WORDS, write_bundle
from typer.testing import CliRunner, Result

from autoglm_phone.cli.serve import serve_command
from autoglm_phone.core.errors import BundleError, SetupError
from autoglm_phone.settings import Settings


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOGLM_HOME", str(tmp_path / "home"))
    folder = write_bundle(tmp_path / "bundle")
    (folder / "w.gguf").write_bytes(WORDS)
    (folder / "model.bin").write_bytes(HEARING)
    return folder


def serve(seen: list[Settings], *arguments: str, status: int = 0) -> Result:
    def run(settings: Settings) -> int:
        seen.append(settings)
        return status

    app = typer.Typer(add_completion=False)
    app.command()(serve_command(run))
    return CliRunner().invoke(app, arguments)


def test_flags_become_settings(bundle: Path) -> None:
    seen: list[Settings] = []
    arguments = ("--port", "9000", "--strict-model", "--no-default-system-prompt", "--served-model-name", "a,b")
    result = serve(seen, "--model", str(bundle), *arguments)
    assert result.exit_code == 0
    assert seen == [
        Settings(
            model=str(bundle),
            port=9000,
            strict_model=True,
            default_system_prompt=False,
            served_model_name=("a", "b"),
        )
    ]
    assert "port" in seen[0].model_fields_set
    assert "host" not in seen[0].model_fields_set


def test_the_servers_status_is_the_commands(bundle: Path) -> None:
    assert serve([], "--model", str(bundle), status=7).exit_code == 7


def test_a_settings_file_is_read(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'model = "{bundle}"\nmax_running = 3\n')
    seen: list[Settings] = []
    assert serve(seen, "--config", str(tmp_path / "settings.toml")).exit_code == 0
    assert seen[0].max_running == 3


def test_a_wrong_value_stops_before_the_server(bundle: Path) -> None:
    seen: list[Settings] = []
    result = serve(seen, "--model", str(bundle), "--port", "99999")
    assert isinstance(result.exception, SetupError)
    assert "--port: '99999' is wrong" in str(result.exception)
    assert serve(seen, "--prot", "1").exit_code == 2
    assert seen == []


def test_missing_files_stop_before_the_server(bundle: Path) -> None:
    (bundle / "model.bin").unlink()
    seen: list[Settings] = []
    result = serve(seen, "--model", str(bundle))
    assert isinstance(result.exception, BundleError)
    assert "speech: model.bin" in str(result.exception)
    assert serve(seen, "--model", str(bundle), "--no-speech").exit_code == 0
    assert len(seen) == 1
