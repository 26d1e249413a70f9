"""`autoglm-phone estimate`: the memory that serving a model will take, without loading it."""

import os
from typing import Annotated

import typer

from autoglm_phone.assemble.memory import megabytes
from autoglm_phone.assemble.processes import estimate_memory
from autoglm_phone.assemble.server import chosen_bundle
from autoglm_phone.cli.progress_bar import ProgressBar
from autoglm_phone.core.memory import MemoryEstimate, MemoryKind
from autoglm_phone.settings import load_settings, resolve, this_machine
from autoglm_phone.weights.store import Store, cache_home

TOO_LARGE = 3  # exit status

NOTES: dict[MemoryKind, str] = {
    "held": "",
    "reclaimable": "  (taken back where memory is short)",
    "growing": "  (at most, as requests come)",
}


def estimate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A bundle's id, its folder, or a GGUF file.")],
    ctx: Annotated[
        int | None, typer.Option(help="Tokens that the KV cache holds, shared by all requests: kv_tokens.")
    ] = None,
    parallel: Annotated[int | None, typer.Option(help="Requests computed at once: max_running.")] = None,
    speech: Annotated[bool | None, typer.Option(help="Count the speech module.")] = None,
    vision: Annotated[bool | None, typer.Option(help="Count the vision module.")] = None,
    native_kernels: Annotated[
        bool | None, typer.Option(help="Count with the kernels built for this CPU, where there are some.")
    ] = None,
) -> None:
    """Say how much memory serving a model will take, part by part. Nothing is loaded.

    What is not given here is as `serve` would have it: from the environment, the settings file, or the defaults.
    Exit status 3 if this machine is too small.
    """
    given = {
        "model": model,
        "kv_tokens": ctx,
        "max_running": parallel,
        "speech": speech,
        "vision": vision,
        "native_kernels": native_kernels,
    }
    settings = load_settings({name: value for name, value in given.items() if value is not None}, os.environ)
    machine = this_machine()
    store = Store(cache_home(os.environ))
    bundle = chosen_bundle(store, settings)
    with ProgressBar(f"Checking {bundle.id}") as bar:
        located = store.locate(bundle, bar)
    memory = estimate_memory(settings, resolve(settings, machine, bundle.max_model_len), located)
    print(f"{bundle.id}, {settings.kv_tokens} tokens of KV cache, {settings.max_running} requests at once")
    print("\n".join(table(memory)))
    fits = memory.needed_bytes <= machine.memory_bytes
    print(f"this machine has {megabytes(machine.memory_bytes)}: {'it fits' if fits else 'too little'}")
    if not fits:
        raise typer.Exit(TOO_LARGE)


def table(memory: MemoryEstimate) -> list[str]:
    rows = [(f"{part.process}: {part.name}", part.size_bytes, NOTES[part.kind]) for part in memory.parts]
    rows += [
        ("needed", memory.needed_bytes, ""),
        ("resident once ready", memory.resident_bytes, "  (pages that processes share count in each)"),
        ("at most", memory.largest_bytes, ""),
    ]
    width = max(len(name) for name, _, _ in rows)
    return [f"{name:{width}} {megabytes(size_bytes):>10}{note}" for name, size_bytes, note in rows]
