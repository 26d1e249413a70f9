from pathlib import Path

import pytest
from tiny_checkpoint import WIDTH, write_checkpoint, write_glm_asr, write_whisper
from tiny_gguf import write_decoder, write_mmproj
from typer.testing import CliRunner, Result

from autoglm_phone.cli.main import app
from autoglm_phone.cli.serve import with_converted
from autoglm_phone.core.errors import BundleError
from autoglm_phone.settings import Settings


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOGLM_HOME", str(tmp_path / "home"))
    folder = tmp_path / "downloads"
    folder.mkdir()
    write_decoder(folder / "Tiny.gguf")
    write_mmproj(folder / "mmproj-Tiny.gguf")
    (folder / "LICENSE.txt").write_text("You may.")
    return folder


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_an_imported_model_is_listed_shown_and_checked(pair: Path) -> None:
    made = command("import", str(pair), "--id", "mine", "--licence", "MIT")
    assert made.exit_code == 0, made.output
    assert "mine" in command("models", "list").stdout
    shown = command("models", "show", "mine").stdout
    assert shown.count("licence MIT") == 2
    assert str(pair.parent / "home" / "bundles" / "mine" / "licences" / "LICENSE.txt") in shown
    checked = command("bundle", "check", "mine")
    assert (checked.exit_code, "d_model 8" in checked.stdout, "d_out 8" in checked.stdout) == (0, True, True)


def test_a_licence_that_nobody_knows_is_told(pair: Path) -> None:
    assert "--licence" in command("import", str(pair / "Tiny.gguf"), "--id", "mine").stderr


def test_of_several_encoders_one_is_named(pair: Path, tmp_path: Path) -> None:
    second = write_mmproj(pair / "mmproj-second.gguf")
    elsewhere = write_mmproj(tmp_path / "mmproj.gguf")
    assert isinstance(command("import", str(pair), "--id", "mine").exception, BundleError)
    assert "beside" in str(command("import", str(pair), "--id", "mine", "--mmproj", str(elsewhere)).exception)
    assert command("import", str(pair), "--id", "mine", "--mmproj", str(second)).exit_code == 0
    assert "mmproj-second.gguf" in command("models", "show", "mine").stdout


def test_a_checkpoint_of_a_model_hub_is_converted_on_the_way(pair: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "tiny-9b")
    (checkpoint / "LICENSE").write_text("You may do more.")
    made = command("import", str(checkpoint), "--id", "nine", "--type", "q8_0", "--licence", "MIT")
    assert made.exit_code == 0, made.output
    shown = command("models", "show", "nine").stdout
    assert ("text-q8_0.gguf" in shown, "mmproj-q8_0.gguf" in shown, "licences/LICENSE" in shown) == (True, True, True)
    checked = command("bundle", "check", "nine").stdout
    assert (f"d_model {WIDTH}" in checked, f"d_out {WIDTH}" in checked) == (True, True)


def test_a_checkpoint_is_served_as_what_it_was_converted_to_at_the_first_start(pair: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "tiny 9b")
    served = with_converted(Settings(model=str(checkpoint)))
    assert served.model.startswith("tiny-9b-")
    files = list((pair.parent / "home" / "bundles" / served.model).iterdir())
    times = [file.stat().st_mtime_ns for file in files]
    assert with_converted(Settings(model=str(checkpoint))) == served
    assert [file.stat().st_mtime_ns for file in files] == times
    assert with_converted(Settings()) == Settings()


@pytest.mark.parametrize("fault", ["bytes", "missing", "width", "licence"])
def test_what_is_wrong_is_told_with_a_status(pair: Path, fault: str) -> None:
    command("import", str(pair), "--id", "mine")
    folder = pair.parent / "home" / "bundles" / "mine"
    told = {"bytes": "is damaged", "missing": "is missing", "width": "d_model = 9", "licence": "licence"}[fault]
    match fault:
        case "bytes":
            path = folder / "mmproj-Tiny.gguf"
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.unlink()
            path.write_bytes(data)
        case "missing":
            (folder / "Tiny.gguf").unlink()
        case "licence":
            (folder / "licences" / "LICENSE.txt").unlink()
        case "width":
            toml = folder / "bundle.toml"
            toml.write_text(toml.read_text().replace("d_model = 8", "d_model = 9").replace("d_out = 8", "d_out = 9"))
    result = command("bundle", "check", "mine")
    assert (result.exit_code, told in result.stderr) == (1, True), result.output


@pytest.mark.parametrize("is_beside", [True, False])
def test_a_speech_encoder_in_a_checkpoint_s_folder_goes_into_the_encoders_file(
    pair: Path, tmp_path: Path, is_beside: bool
) -> None:
    checkpoint = write_checkpoint(tmp_path / "tiny-9b")
    ears = write_whisper((checkpoint if is_beside else tmp_path) / "speech")
    how = [] if is_beside else ["--speech", str(ears)]
    made = command("import", str(checkpoint), "--id", "nine", "--type", "q8_0", "--licence", "MIT", *how)
    assert made.exit_code == 0, made.output
    shown = command("models", "show", "nine").stdout
    assert "speech: ultravox encoder" in shown
    assert shown.count("licence MIT") == 3
    assert "hear sounds" in (pair.parent / "home" / "bundles" / "nine" / "system_prompt.txt").read_text()
    assert command("bundle", "check", "nine").exit_code == 0


def test_glm_asr_stays_in_safetensors(pair: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "tiny-9b")
    ears = write_glm_asr(tmp_path / "ears", WIDTH)
    made = command("import", str(checkpoint), "--id", "nine", "--type", "q8_0", "--speech", str(ears))
    assert made.exit_code == 0, made.output
    shown = command("models", "show", "nine").stdout
    assert "speech: glmasr encoder, ears (safetensors)" in shown
    assert ("speech-config.json" in shown, "speech-model.safetensors" in shown) == (True, True)
    checked = command("bundle", "check", "nine")
    assert (checked.exit_code, f"d_out {WIDTH}" in checked.stdout) == (0, True)


def test_the_options_of_speech_belong_to_checkpoints(pair: Path, tmp_path: Path) -> None:
    ears = write_whisper(tmp_path / "ears")
    assert "is none" in str(command("import", str(pair), "--id", "mine", "--speech", str(ears)).exception)
    lone = command("import", str(pair), "--id", "mine", "--projector", str(ears))
    assert "--projector belongs to --speech" in str(lone.exception)
