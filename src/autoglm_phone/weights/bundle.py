"""A bundle: which modules a model is made of, and which files, versions and digests each of them has.

Read from `bundle.toml`; docs/bundle-format.md describes it. Knows nothing of where the files are (store.py) nor of
what is in them.
"""

import hashlib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Modality, ModuleKind
from autoglm_phone.core.request import SamplingParams

BUNDLE_FILE = "bundle.toml"
PROMPT_FILE = "system_prompt.txt"
MAX_TOML_BYTES = 256 << 10

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Word = Annotated[str, Meta(min_length=1, max_length=2000)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class PartSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a file that an installed package carries as data: `path` as in the package's list of files."""

    package: Name
    path: Word


class FileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file. parts: in order, what it is put together from; none means that it is not to be had as packages."""

    name: Name
    size_bytes: Annotated[int, Meta(gt=0)]
    sha256: Sha256
    parts: tuple[PartSpec, ...] = ()

    @property
    def digest(self) -> Digest:
        return Digest(self.sha256)


class HubSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a model hub has the same files, byte for byte. revision: a commit, never a branch."""

    repo: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")]
    revision: Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")]


class ModuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One module. package: set where the files are used where that installed package has them, and never copied."""

    kind: ModuleKind
    format: Name
    arch: Name
    version: Word
    licence: Word
    files: Annotated[tuple[FileSpec, ...], Meta(min_length=1)]
    limits: Word
    package: Name | None = None
    hub: HubSpec | None = None

    @property
    def digest(self) -> Digest:
        """That of the only file, or one over the names and digests of all."""
        if len(self.files) == 1:
            return self.files[0].digest
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return Digest(hashlib.sha256(lines.encode()).hexdigest())

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


class _Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=0)] = 0
    min_p: Annotated[float, Meta(ge=0, le=1)] = 0.0
    repetition_penalty: Annotated[float, Meta(gt=0, le=2)] = 1.0


class _BundleToml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Name
    title: Word
    licence: Word
    limits: Word
    max_model_len: Annotated[int, Meta(ge=256)]
    text: ModuleSpec
    sampling: _Sampling = _Sampling()
    speech: ModuleSpec | None = None
    vision: ModuleSpec | None = None


@dataclass(frozen=True)
class Bundle:
    """folder: where bundle.toml is; files of a bundle that is not in the catalogue lie beside it.

    limits and system_prompt are texts for people and for the decoder; max_model_len is in tokens.
    """

    id: str
    title: str
    licence: str
    limits: str
    folder: Path
    modules: Mapping[Modality, ModuleSpec]
    system_prompt: str
    sampling: SamplingParams
    max_model_len: int

    @property
    def text(self) -> ModuleSpec:
        return self.modules["text"]

    @property
    def size_bytes(self) -> int:
        return sum(module.size_bytes for module in self.modules.values())

    def with_only(self, modalities: Collection[Modality]) -> "Bundle":
        """The same bundle without the modules of other modalities; text always stays."""
        kept = {name: module for name, module in self.modules.items() if name == "text" or name in modalities}
        return replace(self, modules=kept)


# What this version can load: kind and format of each modality, and arch where only one is known.
_LOADABLE: dict[Modality, tuple[ModuleKind, str, str | None]] = {
    "text": ("decoder", "gguf", None),
    "speech": ("transcriber", "ctranslate2", "whisper"),
    "vision": ("transcriber", "onnx", "rapidocr"),
}


def load_bundle(place: Path) -> Bundle:
    """The bundle in a folder, or of a bundle.toml. Raises BundleError that names the file and the field."""
    path = place / BUNDLE_FILE if place.is_dir() else place
    toml = _read_toml(path)
    prompt = _read_text(path.parent / PROMPT_FILE).strip()
    if not prompt:
        raise BundleError(f"{path.parent / PROMPT_FILE} is empty; say who the assistant is and what it can do")
    found: dict[Modality, ModuleSpec | None] = {"text": toml.text, "vision": toml.vision, "speech": toml.speech}
    modules = {modality: module for modality, module in found.items() if module is not None}
    for modality, module in modules.items():
        _check_module(path, modality, module)
    return Bundle(
        id=toml.id,
        title=toml.title,
        licence=toml.licence,
        limits=toml.limits,
        folder=path.parent,
        modules=modules,
        system_prompt=prompt,
        sampling=SamplingParams(**msgspec.structs.asdict(toml.sampling)),
        max_model_len=toml.max_model_len,
    )


def _read_toml(path: Path) -> _BundleToml:
    try:
        values: Any = tomllib.loads(_read_text(path))
        return msgspec.convert(values, _BundleToml)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BundleError(f"{path}: {error}") from error


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TOML_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_TOML_BYTES:
        raise BundleError(f"{path} is longer than {MAX_TOML_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} is not UTF-8: {error}") from error


def _check_module(path: Path, modality: Modality, module: ModuleSpec) -> None:
    kind, format_, arch = _LOADABLE[modality]
    for field, value, known in (
        ("kind", module.kind, kind),
        ("format", module.format, format_),
        ("arch", module.arch, arch or module.arch),
    ):
        if value != known:
            raise BundleError(f"{path}: {field} {value!r} of [{modality}] cannot be loaded, only {known!r}")
    if modality == "text" and len(module.files) != 1:
        raise BundleError(f"{path}: [text] names {len(module.files)} files; a decoder is one GGUF")
    names = [file.name for file in module.files]
    if len(set(names)) != len(names):
        raise BundleError(f"{path}: two files of [{modality}] have one name")
    for file in module.files:
        for part in file.parts:
            way = PurePosixPath(part.path)
            if way.is_absolute() or ".." in way.parts:
                raise BundleError(f"{path}: the path {part.path!r} of [{modality}] leads out of its package")
