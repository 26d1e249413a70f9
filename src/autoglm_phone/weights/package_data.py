"""Finds data files that installed packages carry, by their list of files; no package is ever imported."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Protocol

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.module_spec import FileSpec, PartSpec


class PackageData(Protocol):
    """Where the data file of an installed package is; None if the package is not installed."""

    def __call__(self, part: PartSpec) -> Path | None: ...


def installed_data(part: PartSpec) -> Path | None:
    """Raises BundleError if the package is installed and the file is not in it."""
    try:
        files = distribution(part.package).files or []
    except PackageNotFoundError:
        return None
    for file in files:
        if file.as_posix() == part.path:
            return Path(str(file.locate()))
    raise BundleError(
        f"the installed package {part.package} has no {part.path}; install the release that the bundle names"
    )


def parts_of(file: FileSpec, find: PackageData) -> list[Path] | None:
    """The places of all parts, in order; None if the file has none or a package is not installed."""
    found = [find(part) for part in file.parts]
    places = [place for place in found if place is not None]
    return places if places and len(places) == len(file.parts) else None
