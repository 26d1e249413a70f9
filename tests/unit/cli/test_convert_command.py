"""`convert` and `synth` through the command line."""

from pathlib import Path

import pytest
from tiny_checkpoint import write_checkpoint
from typer.testing import CliRunner

from autoglm_phone.cli.main import app
from autoglm_phone.core.errors import SetupError
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.gguf_tensors import read_tensors

RUNNER = CliRunner()


def run(*arguments: object) -> list[str]:
    result = RUNNER.invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.split()


def test_a_checkpoint_becomes_a_pair_of_files(tmp_path: Path) -> None:
    source, out = write_checkpoint(tmp_path / "model"), tmp_path / "out"
    assert run("convert", source, "--out", out) == [str(out / "mmproj-q8_0.gguf"), str(out / "text-q4_k_m.gguf")]
    assert run("convert", source, "--out", out, "--type", "f16", "--mmproj-type", "f32") == [
        str(out / "mmproj-f32.gguf"),
        str(out / "text-f16.gguf"),
    ]
    assert read_tensors(out / "text-f16.gguf").entries["output.weight"].type.name == "F16"


def test_int4_writes_a_folder(tmp_path: Path) -> None:
    source, out = write_checkpoint(tmp_path / "model"), tmp_path / "out"
    assert run("convert", source, "--out", out, "--type", "int4") == [str(out)]
    assert (out / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--type", "int8", "--mmproj-type", "f16"], "keeps the layout"),
        (["--projector", "somewhere"], "--projector belongs to --speech"),
    ],
)
def test_options_that_do_nothing_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    source = write_checkpoint(tmp_path / "model")
    with pytest.raises(SetupError, match=said):
        run("convert", source, "--out", tmp_path / "out", *options)


def test_synth_takes_the_tokenizer_that_it_is_given(tmp_path: Path) -> None:
    """A small vocabulary in a large one's place: the rest is padding."""
    source, out = write_checkpoint(tmp_path / "model"), tmp_path / "out"
    files = run("synth", "tiny", "--out", out, "--tokenizer", source / "tokenizer.json", "--type", "q4_0")
    assert files == [str(out / "text-q4_0.gguf"), str(out / "mmproj-q8_0.gguf")]
    tokens = read_tensors(out / "text-q4_0.gguf").metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, list)
    assert tokens[257] == "the"
    assert tokens[-1] == "[PAD151551]"


def test_encoders_are_converted_without_the_text(tmp_path: Path) -> None:
    source, out = write_checkpoint(tmp_path / "model"), tmp_path / "out"
    assert run("convert", source, "--out", out, "--encoders-only") == [str(out / "mmproj-q8_0.gguf")]
    assert run("convert", source, "--out", out / "int8", "--type", "int8", "--encoders-only") == [str(out / "int8")]
    names = open_checkpoint(out / "int8").tensors
    assert names
    assert all(name.startswith("model.visual.") for name in names)


def test_text_that_is_packed_is_not_converted_again(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "model")
    run("convert", source, "--out", tmp_path / "int8", "--type", "int8")
    for asked in (["convert", "--out", str(tmp_path)], ["import", "--id", "packed"]):
        failed = RUNNER.invoke(app, [*asked, str(tmp_path / "int8")])
        assert "text is computed by llama.cpp" in str(failed.exception)
