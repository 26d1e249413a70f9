"""Worker processes over the tiny decoder and its tiny encoder, put together as the server does it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tiny_glm4 import write_tiny_glm4, write_tiny_mmproj

from autoglm_phone.assemble.processes import Located, Processes, make_processes
from autoglm_phone.core.module import ModuleKind
from autoglm_phone.settings import Hardware, Resolved, Settings, load_settings, resolve
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec
from autoglm_phone.weights.store import LocatedModule

FLAGS = {"kv_tokens": "2048", "max_model_len": "1024", "threads": "1", "native_kernels": "false"}


def tiny_modules(folder: Path) -> Located:
    text = write_tiny_glm4(folder / "text.gguf")
    mmproj = write_tiny_mmproj(folder / "mmproj.gguf")
    return {"text": _located(text, "decoder", "glm4"), "vision": _located(mmproj, "encoder", "glm4v")}


def _located(path: Path, kind: ModuleKind, arch: str) -> LocatedModule:
    file = FileSpec(name=path.name, size_bytes=path.stat().st_size, sha256="0" * 64)
    spec = ModuleSpec(
        kind=kind, format="gguf", arch=arch, version="1", licence="MIT", files=(file,), limits="It is tiny."
    )
    return LocatedModule(spec, (path,))


def tiny_settings(**flags: str) -> tuple[Settings, Resolved]:
    settings = load_settings({**FLAGS, **flags}, {})
    return settings, resolve(settings, Hardware(1, 4 << 30), 2048)


@asynccontextmanager
async def started(located: Located, **flags: str) -> AsyncGenerator[Processes, None]:
    processes = make_processes(*tiny_settings(**flags), located)
    await processes.start()
    try:
        await processes.wait_until_ready()
        yield processes
    finally:
        await processes.stop()
