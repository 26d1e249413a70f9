"""`autoglm-phone kernels`: llama.cpp's CPU kernels compiled for this machine, tried before they are used."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from autoglm_phone.backends.llama_cpp.kernels import make
from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels, Tried
from autoglm_phone.settings import this_machine
from autoglm_phone.weights.store import Store, cache_home

kernels_app = typer.Typer(
    help="Kernels compiled for this machine's CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@kernels_app.command("build")
def build(
    model: Annotated[str, typer.Option(help="The model they are tried with, and will be used for.")] = (
        "autoglm-phone-nano"
    ),
    archive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="llama.cpp's sources (xllamacpp's sdist), if they are here.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Compile even if that has been done.")] = False,
) -> None:
    """Compile kernels for this CPU, compare their logits with the wheel's on a real model, and measure both.

    Needs cmake and a C++ compiler, and takes about a minute on two cores, seven with a 9B. The next start of
    the server uses them if they agree and are faster; without them, or after a change of the CPU or the program, the
    wheel's are used.
    """
    store = Store(cache_home(os.environ), say=_tell)
    text = store.locate(store.find(model))["text"]
    kernels = NativeKernels(store.home)
    if again or kernels.record() is None:
        _tell(f"Compiling llama.cpp's kernels for {kernels.cpu}")
        make.build(kernels, archive)
    tried = make.try_with(kernels, text.files[0], text.spec.files[0].digest, this_machine().cores, _tell)
    print("\n".join(_table(tried)))
    print(
        f"{model} will be served with {'these kernels' if tried.is_faster else 'the kernels of the wheel: faster here'}"
    )


@kernels_app.command("show")
def show() -> None:
    """Show what has been built for this CPU, and for which models it is used."""
    kernels = NativeKernels(cache_home(os.environ))
    record = kernels.record()
    if record is None:
        print(f"No kernels are built for {kernels.cpu}: autoglm-phone kernels build")
        return
    print(f"{kernels.plugin}\nfor {record.cpu}")
    for digest, tried in record.tried.items():
        print(f"\nsha256 {digest}: {'used' if tried.is_faster else 'not used, the wheel is faster'}")
        print("\n".join(_table(tried)))


@kernels_app.command("remove")
def remove() -> None:
    """Delete what has been built for this CPU."""
    NativeKernels(cache_home(os.environ)).remove()


def _table(tried: Tried) -> list[str]:
    """Tokens a second."""
    rows = [
        ("prompt", tried.wheel.prefill, tried.native.prefill),
        ("behind 1,024", tried.wheel.prefill_behind, tried.native.prefill_behind),
        ("one stream", tried.wheel.decode_1, tried.native.decode_1),
        ("eight streams", tried.wheel.decode_8, tried.native.decode_8),
    ]
    lines = [f"{'tokens a second':16} {'wheel':>8} {'native':>8}  ratio"]
    return lines + [f"{name:16} {wheel:8.1f} {native:8.1f}  {native / wheel:5.2f}" for name, wheel, native in rows]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
