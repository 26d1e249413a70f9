"""Compiles ggml's CPU backend alone, with our products for this machine, to a plugin that llama.cpp can load."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from autoglm_phone.core.errors import SetupError

TIMEOUT_S = 1800
# Symbols of the plugin must find each other, not those of the library that loads it.
LINKER_FLAGS = "-Wl,-Bsymbolic"
TOOLS = "on Debian and Ubuntu: sudo apt-get install cmake g++; cmake is on PyPI, too"


def compile_plugin(ggml: Path, work: Path) -> Path:
    """The shared object, under `work`. Raises SetupError with the compiler's last words."""
    if shutil.which("cmake") is None:
        raise SetupError(f"cmake is needed to build kernels and is not there; {TOOLS}")
    # On x86 only our products get every instruction (patch.py): AVX-512 FP16 makes ggml's attention four times slower.
    # -w: the warnings are about code that is not ours
    flags = "-w" if platform.machine() in ("x86_64", "AMD64") else "-w -mcpu=native"
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_C_FLAGS": flags,
        "CMAKE_CXX_FLAGS": flags,
        "CMAKE_SHARED_LINKER_FLAGS": LINKER_FLAGS,
        "CMAKE_MODULE_LINKER_FLAGS": LINKER_FLAGS,
        "BUILD_SHARED_LIBS": "ON",
        "GGML_BACKEND_DL": "ON",
        "GGML_LLAMAFILE": "ON",  # the products of attention; off by default where ggml is built alone
        "GGML_NATIVE": "OFF",  # excludes GGML_BACKEND_DL
        "GGML_BUILD_TESTS": "OFF",
        "GGML_BUILD_EXAMPLES": "OFF",
    }
    _run(["cmake", "-S", str(ggml), "-B", str(work), *(f"-D{name}={value}" for name, value in options.items())])
    _run(["cmake", "--build", str(work), "--target", "ggml-cpu", "--parallel", str(os.cpu_count() or 1)])
    found = list((work / "bin").glob("libggml-cpu.*"))
    if not found:
        raise SetupError(f"the build left no plugin in {work / 'bin'}")
    return found[0]


def _run(command: list[str]) -> None:
    result = subprocess.run(  # noqa: S603 - cmake, with arguments of ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False
    )
    if result.returncode != 0:
        raise SetupError(f"{' '.join(command[:3])} failed; {TOOLS}\n{result.stdout[-2000:]}")
