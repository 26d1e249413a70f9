"""Where modules may be loaded from while the server runs: what a request names, found and verified, or refused."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoglm_phone.core.errors import BundleError, Forbidden, ModuleRefused, NoSuchModule
from autoglm_phone.core.module import Modality
from autoglm_phone.weights.bundle import Bundle, check_served
from autoglm_phone.weights.catalogue import PREFIX, bundle_ids
from autoglm_phone.weights.store import LocatedModule, Store
from autoglm_phone.weights.voice_bundle import VOICE_ID, voice_bundle
from autoglm_phone.weights.widths import check_widths


@dataclass(frozen=True)
class FoundModule:
    """max_model_len: the longest window that its bundle is made for."""

    module: LocatedModule
    max_model_len: int


class ModuleSources:
    """The catalogue, what was imported into the store, and the folders that the operator named. Blocking: it hashes."""

    def __init__(self, store: Store, folders: Sequence[str]) -> None:
        self._store = store
        self._folders = [Path(os.path.realpath(one.expanduser())) for one in (store.imported, *map(Path, folders))]

    def find(self, modality: Modality, source: str) -> FoundModule:
        """Raises Forbidden, NoSuchModule or ModuleRefused; nothing of a file that is not allowed is opened."""
        if modality == "voice" and source != VOICE_ID:
            raise NoSuchModule(f"there is one voice, {VOICE_ID}; {source[:60]!r} is none", param="source")
        try:
            bundle = voice_bundle() if modality == "voice" else self._store.find(self._model(source))
            if modality not in bundle.modules:
                raise NoSuchModule(f"{bundle.id} has no {modality} module", param="source")
            alone = replace(bundle, modules={modality: bundle.modules[modality]})
            check_served(alone)
            located = self._store.locate(alone)
            check_widths(alone, {modality: located[modality].files})
        except BundleError as error:
            raise ModuleRefused(str(error), param="source") from error
        self._check_inside(alone, located[modality])
        return FoundModule(located[modality], bundle.max_model_len)

    def _model(self, source: str) -> str:
        return source if self._is_id(source) else str(self._allowed(source))

    def _is_id(self, source: str) -> bool:
        known = bundle_ids()
        return source in (*known, *(one.removeprefix(PREFIX) for one in known), *bundle_ids(self._store.imported))

    def _allowed(self, source: str) -> Path:
        """The path with every link followed, so that none leads out of an allowed folder."""
        if not source.startswith(("/", "~")):
            raise NoSuchModule(
                f"there is no bundle {source[:60]!r}; name one of {', '.join(bundle_ids())}, an imported one, or an "
                "absolute path",
                param="source",
            )
        try:
            path = Path(os.path.realpath(Path(source).expanduser()))
        except (OSError, ValueError, RuntimeError) as error:  # a byte that no path has, no such user
            raise NoSuchModule(f"{source[:60]!r} is no path: {error}", param="source") from error
        if not self._is_inside(path):
            raise Forbidden(
                f"{source[:200]} is in no folder that modules may be loaded from; --module-path names further ones",
                param="source",
            )
        return path

    def _check_inside(self, bundle: Bundle, module: LocatedModule) -> None:
        """A folder's files may be links; the store's own files and a package's data are ours."""
        for path in module.files:
            if path.is_relative_to(bundle.folder) and not self._is_inside(Path(os.path.realpath(path))):
                raise Forbidden(f"{path} leads out of the folders that modules may be loaded from", param="source")

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self._folders)
