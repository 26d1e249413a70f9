import sys

import pytest

from autoglm_phone import __version__
from autoglm_phone.cli.main import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["autoglm-phone", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_the_version_is_a_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"autoglm-phone {__version__}\n"


def test_an_error_is_a_line_on_stderr_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "serve", "--model", "no-such-model") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("autoglm-phone: there is no model 'no-such-model'")
