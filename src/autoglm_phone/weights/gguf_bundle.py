"""A bundle of files that nobody has described: a text GGUF, with the mmproj GGUF beside it if there is one.

What it is comes from the headers. The digests are those of the files as they are: they say later whether one changed.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Modality
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.gguf_file import Value
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec, Widths
from autoglm_phone.weights.widths import CLIP_MODALITIES, VOCABULARY

SUFFIX, MMPROJ = ".gguf", "mmproj"
DEFAULT_WINDOW = 8192
MAX_BESIDE = 64  # GGUF files of one folder whose headers are looked at

PROMPT = (
    "You are AutoGLM-Phone, a private assistant that runs on the user's own hardware. You read text and answer in "
    "text, in the user's language. You cannot see pictures, hear sounds or reach the internet; say so when asked to."
)
SENSING_PROMPT = (
    "You are AutoGLM-Phone, a private assistant that runs on the user's own hardware. You read text, {} and answer in "
    "text, in the user's language. You cannot reach the internet; say so when asked to."
)
SENSES: Mapping[Modality, str] = {"vision": "look at pictures", "speech": "hear sounds"}
LIMITS = "It reads and writes text. It has no eyes and no ears: name a bundle to give it some."
SENSING_LIMITS = (
    "It reads and writes text and takes what its files have encoders for. Nobody has said what it cannot do."
)

UNDESCRIBED = "An encoder whose limits nobody has described."
NONE: Mapping[Modality, ModuleSpec] = {}

DigestOf = Callable[[Path], Digest]


@dataclass(frozen=True)
class _Header:
    path: Path
    values: Mapping[str, Value]

    def word(self, key: str, default: str) -> str:
        value = self.values.get(key)
        return value if isinstance(value, str) and value else default

    def number(self, key: str) -> int | None:
        value = self.values.get(key)
        return value if isinstance(value, int) and value > 0 else None

    @property
    def arch(self) -> str:
        return self.word("general.architecture", "unknown")


def bundle_of_gguf(
    path: Path, digest_of: DigestOf, *, mmproj: Path | None = None, more: Mapping[Modality, ModuleSpec] = NONE
) -> Bundle:
    """path: absolute. mmproj: the file beside it with its encoders, else the one that fits. Raises BundleError.

    more: modules of other files beside it.
    """
    text = _read(path)
    if text.arch == "clip":
        raise BundleError(f"{path.name} holds encoders alone; name the text GGUF that it belongs to, with it beside")
    if mmproj is not None and mmproj.parent != path.parent:
        raise BundleError(f"{mmproj} must lie beside {path.name}: a bundle's files are in one folder")
    width = text.number(f"{text.arch}.embedding_length")
    encoders = _read(mmproj) if mmproj is not None else _fitting(path, width)
    modules: dict[Modality, ModuleSpec] = {
        "text": _module(text, "text", digest_of, arch=text.arch, widths=Widths(d_model=width))
    }
    if encoders is not None:
        modules |= _encoders(encoders, digest_of)
    modules |= more
    senses = len(modules) > 1
    return Bundle(
        id=path.stem,
        title=text.word("general.name", path.stem),
        licence=text.word("general.license", "unknown"),
        limits=SENSING_LIMITS if senses else LIMITS,
        folder=path.parent,
        modules=modules,
        system_prompt=_prompt(modules),
        sampling=SamplingParams(temperature=0.7, top_p=0.9),
        max_model_len=text.number(f"{text.arch}.context_length") or DEFAULT_WINDOW,
    )


def _prompt(modules: Collection[Modality]) -> str:
    senses = [does for modality, does in SENSES.items() if modality in modules]
    return SENSING_PROMPT.format(", ".join(senses)) if senses else PROMPT


def text_gguf_of(folder: Path) -> Path | None:
    """The only GGUF of a folder that is no mmproj; None if there is none. Raises BundleError if there are several."""
    found = [path for path in _ggufs(folder) if MMPROJ not in path.name.lower()]
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:5])
        raise BundleError(f"{folder} holds {len(found)} text GGUFs ({names}); name one of them")
    return found[0] if found else None


def _ggufs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())[:MAX_BESIDE]


def _fitting(path: Path, width: int | None) -> _Header | None:
    """The mmproj beside a text GGUF whose embeddings have the decoder's width. Files that are damaged do not count."""
    fitting = []
    for beside in _ggufs(path.parent):
        if MMPROJ in beside.name.lower() and beside != path:
            try:
                header = _read(beside)
            except BundleError:
                continue
            if header.arch == "clip" and width is not None and width in _widths_of(header).values():
                fitting.append(header)
    if len(fitting) > 1:
        names = ", ".join(one.path.name for one in fitting)
        raise BundleError(
            f"{len(fitting)} files beside {path.name} could be its encoders ({names}); leave one there, or name it: "
            f"autoglm-phone import {path.name} --mmproj FILE --id NAME"
        )
    return fitting[0] if fitting else None


def _widths_of(header: _Header) -> dict[Modality, int]:
    """Of the encoders that the file has."""
    found: dict[Modality, int] = {}
    for modality, kind in CLIP_MODALITIES.items():
        width = header.number(f"clip.{kind}.projection_dim")
        if header.values.get(f"clip.has_{kind}_encoder") is True and width is not None:
            found[modality] = width
    return found


def _encoders(header: _Header, digest_of: DigestOf) -> dict[Modality, ModuleSpec]:
    widths = _widths_of(header)
    if header.arch != "clip" or not widths:
        raise BundleError(f"{header.path.name} is no mmproj file: it names no encoder and no clip.*.projection_dim")
    made: dict[Modality, ModuleSpec] = {}
    for modality, width in widths.items():
        key = f"clip.{CLIP_MODALITIES[modality]}.projector_type"
        arch = header.word(key, header.word("clip.projector_type", "unknown"))
        made[modality] = _module(header, modality, digest_of, arch=arch, widths=Widths(d_out=width))
    return made


def _module(header: _Header, modality: Modality, digest_of: DigestOf, *, arch: str, widths: Widths) -> ModuleSpec:
    path = header.path
    return ModuleSpec(
        kind="decoder" if modality == "text" else "encoder",
        format="gguf",
        arch=arch,
        version=header.word("general.name", path.stem),
        licence=header.word("general.license", "unknown"),
        files=(FileSpec(name=path.name, size_bytes=path.stat().st_size, sha256=digest_of(path)),),
        limits=LIMITS if modality == "text" else UNDESCRIBED,
        widths=widths,
    )


def _read(path: Path) -> _Header:
    return _Header(path, read_tensors(path, counted=VOCABULARY).metadata)
