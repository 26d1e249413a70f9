"""`autoglm-phone bundle check` and `autoglm-phone import`: whether a bundle is what it says, and making one."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from autoglm_phone.assemble.checkpoints import import_checkpoint
from autoglm_phone.cli.convert import TextForm, speech_of
from autoglm_phone.cli.progress_bar import ProgressBar
from autoglm_phone.core.errors import BundleError
from autoglm_phone.settings import this_machine
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.checkpoint import is_checkpoint
from autoglm_phone.weights.gguf_bundle import bundle_of_gguf, text_gguf_of
from autoglm_phone.weights.importing import Wishes, import_bundle
from autoglm_phone.weights.module_spec import ModuleSpec
from autoglm_phone.weights.store import Store, cache_home
from autoglm_phone.weights.verified import hash_file
from autoglm_phone.weights.widths import width_faults

bundle_app = typer.Typer(
    help="Bundles: what a model is made of.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

FAULTY = 1


@bundle_app.callback()
def _group() -> None:
    """Keeps `check` a subcommand while it is the only one."""


@bundle_app.command("check")
def check(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A bundle's folder or id, or GGUF files.")],
) -> None:
    """Compare digests, and widths with what the files' headers have. Nothing is loaded. Exit status 1 on a fault."""
    store = _store()
    bundle = store.find(path)
    with ProgressBar(f"Checking {bundle.id}") as bar:
        faults = [str(fault) for fault in store.faults(bundle, bar)]
    missing = [path for texts in bundle.licence_texts.values() for path in texts if not path.is_file()]
    faults += [f"the licence {path} is missing" for path in dict.fromkeys(missing)]
    if not faults:
        for modality, module in bundle.modules.items():
            faults += width_faults(modality, module, [store.place(bundle, modality, file) for file in module.weights])
    for modality, module in bundle.modules.items():
        print(f"{modality}: {module.kind} {module.format} {module.arch}, {module.version}, {module.licence}")
        print(f"  digest {module.digest}")
        if widths := _widths(module):
            print(f"  widths {widths}")
    if faults:
        print("\n".join(faults), file=sys.stderr)
        raise typer.Exit(FAULTY)
    print(f"{bundle.id} is what it says: digests and widths agree")


def import_model(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A GGUF, or a folder with one, with a bundle, or with a checkpoint.")
    ],
    bundle_id: Annotated[str, typer.Option("--id", metavar="NAME", help="The name it will be served under.")],
    mmproj: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Which of the GGUFs beside has its encoders.")
    ] = None,
    beside: Annotated[
        bool, typer.Option("--beside", help="Write bundle.toml beside the files, instead of into the store.")
    ] = False,
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The licence, if the files do not say it (SPDX).")
    ] = None,
    prompt: Annotated[Path | None, typer.Option(metavar="FILE", help="The default system prompt, a text file.")] = None,
    form: Annotated[
        TextForm, typer.Option("--type", help="What a checkpoint of a model hub is converted to.")
    ] = TextForm.Q4_K_M,
    speech: Annotated[
        Path | None,
        typer.Option(
            metavar="HF_DIR", help="The speech encoder of a checkpoint, else its folder `speech` if it has one."
        ),
    ] = None,
    projector: Annotated[
        Path | None, typer.Option(metavar="HF_DIR", help="Where Whisper's projector is, if not in the same folder.")
    ] = None,
) -> None:
    """Make a bundle of files that nobody has described, with their digests, and keep it in the store.

    A checkpoint of a model hub (config.json, safetensors, tokenizer) is converted on the way. Licence texts beside the
    files (LICENSE, COPYING, NOTICE) go with it. Afterwards: serve --model NAME.
    """
    store, path = _store(), path.expanduser().absolute()
    text = prompt.read_text(encoding="utf-8").strip() if prompt is not None else None
    wishes = Wishes(bundle_id, licence, text, beside)
    ears = speech_of(speech, projector)
    with ProgressBar(f"Importing {path.name}") as bar:
        if is_checkpoint(path):
            if mmproj is not None or beside:
                raise BundleError(
                    f"{path} is a checkpoint, which is converted into the store: --mmproj and --beside are not for it"
                )
            made = import_checkpoint(store, path, wishes, form.value, this_machine().cores, bar, ears)
        elif ears is not None:
            raise BundleError(f"--speech belongs to a checkpoint that is converted, and {path} is none")
        else:
            made = import_bundle(store, _found(store, path, mmproj), wishes, bar)
    if made.licence == "unknown":
        _tell("The files do not name their licence; say it with --licence if you know it.")
    print(made.folder)


def _found(store: Store, path: Path, mmproj: Path | None) -> Bundle:
    if mmproj is None:
        return store.find(str(path))
    text = text_gguf_of(path) if path.is_dir() else path
    if text is None:
        raise BundleError(f"{path} holds no GGUF")
    return bundle_of_gguf(text, hash_file, mmproj=mmproj.expanduser().absolute())


def _widths(module: ModuleSpec) -> str:
    widths = module.widths
    named = {"d_model": widths.d_model, "d_in": widths.d_in, "d_out": widths.d_out}
    if module.projector is not None:
        named["projected to"] = module.projector.widths.d_out
    return ", ".join(f"{name} {number}" for name, number in named.items() if number is not None)


def _store() -> Store:
    return Store(cache_home(os.environ), say=_tell)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
