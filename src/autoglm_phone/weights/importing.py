"""Makes a described bundle of what was found: files verified and taken into the store, licences carried along."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.bundle import BUNDLE_FILE, Bundle, load_bundle
from autoglm_phone.weights.bundle_file import MAX_LICENCE_BYTES, write_bundle
from autoglm_phone.weights.module_spec import Name
from autoglm_phone.weights.progress import Progress, silent
from autoglm_phone.weights.store import Store
from autoglm_phone.weights.verified import hash_file
from autoglm_phone.weights.widths import check_widths

LICENCE_PATTERNS = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*")


@dataclass(frozen=True)
class Wishes:
    """id: the new bundle's. licence, prompt: in place of what the files say. beside: leave the files where they are.

    licences_from: the folder with the licence texts, if not that of the files.
    """

    id: str
    licence: str | None = None
    prompt: str | None = None
    beside: bool = False
    licences_from: Path | None = None


def import_bundle(store: Store, bundle: Bundle, wishes: Wishes, progress: Progress = silent) -> Bundle:
    """Raises BundleError if a file is not what the bundle says, or if there is a bundle of this id already."""
    folder = check_free(store, bundle.folder if wishes.beside else None, wishes.id)
    licences, bundle = _licences(bundle, wishes.licences_from or bundle.folder)
    located = store.locate(bundle, progress)
    check_widths(bundle, {modality: module.files for modality, module in located.items()})
    folder.mkdir(parents=True, exist_ok=True)
    if not wishes.beside:
        for modality, module in bundle.modules.items():
            if module.package is None:
                for file in module.all_files:
                    take(store.place(bundle, modality, file), folder / file.name, file.sha256)
    named = replace(
        bundle,
        id=wishes.id,
        folder=folder,
        licence=wishes.licence or bundle.licence,
        system_prompt=wishes.prompt or bundle.system_prompt,
    )
    if wishes.licence is not None:
        modules = {name: msgspec.structs.replace(one, licence=wishes.licence) for name, one in named.modules.items()}
        named = replace(named, modules=modules)
    write_bundle(named, folder, licences)
    return load_bundle(folder)


def check_free(store: Store, beside: Path | None, bundle_id: str) -> Path:
    """The folder that the bundle will have. Raises BundleError if the id is no name, or is taken."""
    try:
        msgspec.convert(bundle_id, Name)
    except msgspec.ValidationError as error:
        raise BundleError(f"the id {bundle_id!r} is no name: {error}") from error
    folder = beside if beside is not None else store.imported / bundle_id
    if (folder / BUNDLE_FILE).exists():
        raise BundleError(f"{folder} holds a bundle already; choose another --id, or delete that folder")
    return folder


def take(source: Path, target: Path, sha256: str) -> None:
    """A second name for the file where the disk allows it, else a copy; under its final name it is whole."""
    if target.exists():
        if hash_file(target) != sha256:
            raise BundleError(f"two files of the bundle would be {target.name}, with different contents")
        return
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        try:
            os.link(source, draft)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, draft)
        draft.replace(target)
    except OSError as error:
        raise BundleError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _licences(bundle: Bundle, folder: Path) -> tuple[Mapping[str, bytes], Bundle]:
    """The texts by name, and the bundle whose modules name them. Where nobody described any: those in the folder."""
    if any(bundle.licence_texts.values()):
        paths = {path.name: path for texts in bundle.licence_texts.values() for path in texts}
        return {name: _text(path) for name, path in paths.items()}, bundle
    found = sorted({path for pattern in LICENCE_PATTERNS for path in folder.glob(pattern) if path.is_file()})
    texts = {path.name: _text(path) for path in found}
    names = tuple(texts)
    modules = {name: msgspec.structs.replace(one, licence_files=names) for name, one in bundle.modules.items()}
    return texts, replace(bundle, modules=modules)


def _text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LICENCE_BYTES + 1)
    except OSError as error:
        raise BundleError(f"the licence {path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_LICENCE_BYTES:
        raise BundleError(f"the licence {path} is longer than {MAX_LICENCE_BYTES} bytes")
    return data
