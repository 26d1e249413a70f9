"""The whole way of `autoglm-phone kernels build`: llama.cpp's sources, the compiler, the trial on the real decoder.

Slow for the compiler's sake; what is computed by our own products is tested quickly in tests/unit/backends.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels
from autoglm_phone.core.module import Modality
from autoglm_phone.weights.store import LocatedModule

FLAGS = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
CLI = [sys.executable, "-m", "autoglm_phone.cli.main"]
TIMEOUT_S = 900

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cmake") is None or shutil.which("g++") is None, reason="needs cmake and g++"),
]


def test_kernels_are_built_tried_used_and_removed(
    nano: dict[Modality, LocatedModule], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a cache folder of its own, with the model's files in it
    text = nano["text"]
    home = text.folder.parents[1]
    (tmp_path / "modules").symlink_to(home / "modules")
    monkeypatch.setenv("AUTOGLM_HOME", str(tmp_path))

    def run(*words: str) -> str:
        result = subprocess.run(
            [*CLI, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=os.environ
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert "of the wheel" in run("doctor")
    table = run("kernels", "build")
    assert "eight streams" in table
    record = NativeKernels(tmp_path).record()
    assert record is not None
    tried = record.tried[text.spec.files[0].digest]
    if "avx512_vnni" in FLAGS:
        assert tried.is_faster  # by a factor of two and more
        assert "built for this CPU" in run("doctor")
    assert text.spec.files[0].digest in run("kernels", "show")
    run("kernels", "remove")
    assert NativeKernels(tmp_path).record() is None
