from pathlib import Path

import pytest
from small_bundle import HEARING, WORDS, write_bundle

from autoglm_phone.cli.doctor import Finding, cpu_flags, files, packages, server
from autoglm_phone.weights.store import Store


def test_each_dependency_is_found_where_the_tests_run() -> None:
    (finding,) = packages()
    assert finding.verdict == "ok"
    assert "xllamacpp 2026.10.11549" in finding.text


def test_missing_files_are_faults_with_a_remedy(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    (bundle / "w.gguf").write_bytes(WORDS)
    text, speech, _ = files(str(bundle), Store(tmp_path / "home"))
    assert (text.verdict, speech.verdict) == ("ok", "fault")
    assert "model.bin" in speech.remedy
    (bundle / "model.bin").write_bytes(HEARING)
    assert {finding.verdict for finding in files(str(bundle), Store(tmp_path / "home"))} == {"ok"}


def test_an_unknown_model_is_a_fault(tmp_path: Path) -> None:
    (finding,) = files("no-such-model", Store(tmp_path))
    assert finding.verdict == "fault"


def test_no_server_is_no_fault() -> None:
    (finding,) = server("http://127.0.0.1:1")
    assert finding.verdict == "note"


@pytest.mark.parametrize(
    ("text", "flags"),
    [("flags\t\t: fpu avx2 avx512f sse\n", ["avx2", "avx512f"]), ("Features\t: fp asimddp\n", ["asimddp"]), ("", [])],
)
def test_useful_cpu_features_are_picked_out(tmp_path: Path, text: str, flags: list[str]) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_flags(tmp_path / "cpuinfo") == flags
    assert cpu_flags(tmp_path / "nowhere") == []


def test_a_remedy_stands_under_its_finding() -> None:
    assert str(Finding("fault", "x is missing", "get x\nor y")) == "FAULT x is missing\n        get x\n        or y"
