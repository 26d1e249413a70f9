"""`autoglm-phone doctor`: what is installed, what this machine can do, what is missing and how to get it."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import httpx
import typer
from packaging.requirements import Requirement

from autoglm_phone import __version__
from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.kernels.cpuinfo import CPUINFO, first_core, instruction_sets
from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels
from autoglm_phone.core.errors import SetupError
from autoglm_phone.settings import this_machine
from autoglm_phone.weights.store import Store, cache_home, explain

Verdict = Literal["ok", "note", "fault"]
SIGNS: dict[Verdict, str] = {"ok": "ok   ", "note": "note ", "fault": "FAULT"}
# The instruction sets that llama.cpp's, CTranslate2's and ONNX Runtime's kernels can make use of.
USEFUL_CPU_FLAGS = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "asimddp",
    "i8mm",
    "sve",
)
SMALLEST_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class Finding:
    """remedy: what to do, empty where nothing needs doing."""

    verdict: Verdict
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        lines = [f"{SIGNS[self.verdict]} {self.text}", *self.remedy.splitlines()]
        return "\n        ".join(lines)


def doctor(
    model: Annotated[str, typer.Option(help="The model whose files are checked.")] = "autoglm-phone-nano",
    url: Annotated[str, typer.Option(help="Where a server may be running.")] = "http://127.0.0.1:8000",
) -> None:
    """Check this installation. Exit status 1 if the server could not be started."""
    store = Store(cache_home(os.environ))
    findings = [*machine(), *packages(), *kernels(model, store), *files(model, store), *server(url)]
    print("\n".join(map(str, findings)))
    raise typer.Exit(1 if any(finding.verdict == "fault" for finding in findings) else 0)


def machine() -> Iterator[Finding]:
    yield Finding("ok", f"autoglm-phone {__version__}, Python {platform.python_version()}, {platform.platform()}")
    hardware = this_machine()
    memory = f"{hardware.cores} cores, {hardware.memory_bytes / 2**30:.1f} GiB of memory"
    if hardware.memory_bytes < SMALLEST_MEMORY_BYTES:
        yield Finding("note", memory, "autoglm-phone-nano takes up to 1.6 GB; --no-vision and --no-speech take less")
    else:
        yield Finding("ok", memory)
    flags = cpu_flags(CPUINFO)
    yield Finding("ok", f"CPU: {platform.machine()} {' '.join(flags) or '(features unknown)'}")


def cpu_flags(cpuinfo: Path) -> list[str]:
    """The useful ones of the first core; empty where the system does not tell."""
    has = instruction_sets(first_core(cpuinfo))
    return [flag for flag in USEFUL_CPU_FLAGS if flag in has]


def packages() -> Iterator[Finding]:
    """Every dependency of the bare install, beside what is installed."""
    versions = []
    for line in metadata.requires("autoglm-phone") or ():
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield Finding("fault", f"{wanted.name} is not installed", f"pip install '{wanted}'")
            continue
        if wanted.specifier.contains(installed, prereleases=True):
            versions.append(f"{wanted.name} {installed}")
        else:
            yield Finding("fault", f"{wanted.name} is {installed}, not {wanted.specifier}", f"pip install '{wanted}'")
    yield Finding("ok", ", ".join(versions))


def kernels(model: str, store: Store) -> Iterator[Finding]:
    """Those that a server of this model would run."""
    try:
        text = store.find(model).modules["text"]
        plugin = NativeKernels(store.home).plugin_for(text.files[0].digest)
    except SetupError:
        plugin = None  # what is wrong with the model is said elsewhere
    try:
        yield Finding("ok", f"llama.cpp kernels {LlamaLibrary(plugin).kernels()}")
    except SetupError as error:
        yield Finding("fault", f"llama.cpp cannot be used: {error}")
        return
    if plugin is None:
        yield Finding("note", "no kernels are built for this CPU", f"autoglm-phone kernels build --model {model}")


def files(model: str, store: Store) -> Iterator[Finding]:
    try:
        bundle = store.find(model)
        faults = {fault.modality: fault for fault in store.faults(bundle)}
    except SetupError as error:
        yield Finding("fault", str(error))
        return
    for modality, module in bundle.modules.items():
        text = f"{modality}: {module.version}, {module.size_bytes / 1e6:.0f} MB"
        if modality in faults:
            yield Finding("fault", text, explain(bundle, store.home, [faults[modality]]))
        else:
            yield Finding("ok", f"{text}, sha256 verified")
    place = next((folder for folder in (store.home, *store.home.parents) if folder.is_dir()), Path(sys.prefix))
    yield Finding("ok", f"cache folder {store.home}, {shutil.disk_usage(place).free / 1e9:.1f} GB free")


def server(url: str) -> Iterator[Finding]:
    try:
        health = httpx.get(f"{url.rstrip('/')}/health", timeout=2.0, trust_env=False)
    except httpx.TransportError:
        yield Finding("note", f"no server runs at {url}", "autoglm-phone serve")
        return
    yield Finding("ok" if health.is_success else "note", f"a server at {url} says {health.text[:300]}")
