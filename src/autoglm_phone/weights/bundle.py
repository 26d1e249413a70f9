"""A bundle: which modules a model is made of, its prompts, limits and defaults.

Read from `bundle.toml`; docs/bundle-format.md describes it. Knows nothing of where the files are (store.py) nor of
what is in them.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import Modality, ModuleKind
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.weights.module_spec import ModuleSpec, Name, Word

BUNDLE_FILE = "bundle.toml"
PROMPT_FILE = "system_prompt.txt"
LICENCES = "licences"
MAX_TOML_BYTES = 256 << 10


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

    @property
    def licence_texts(self) -> Mapping[Modality, tuple[Path, ...]]:
        """Where the licence texts of each module are; those of the catalogue lie beside its bundles."""
        beside = self.folder / LICENCES
        shared = beside if beside.is_dir() else self.folder.parent / LICENCES
        return {name: tuple(shared / file for file in one.licence_files) for name, one in self.modules.items()}

    def with_only(self, modalities: Collection[Modality]) -> "Bundle":
        """The same bundle without the modules of other modalities; text always stays."""
        kept = {name: module for name, module in self.modules.items() if name == "text" or name in modalities}
        return replace(self, modules=kept)


# What this version can load of what the format can say: kind, format and, where only some are known, arch.
SERVED: dict[Modality, tuple[tuple[ModuleKind, str, str | None], ...]] = {
    "text": (("decoder", "gguf", None),),
    "speech": (
        ("transcriber", "ctranslate2", "whisper"),
        ("encoder", "gguf", "ultravox"),
        ("encoder", "safetensors", "ultravox"),
        ("encoder", "safetensors", "glmasr"),
    ),
    "voice": (("speaker", "onnx", "kokoro"),),
    "vision": (
        ("transcriber", "onnx", "rapidocr"),
        ("encoder", "gguf", "glm4v"),
        ("encoder", "safetensors", "glm4v"),
    ),
}


PROJECTED = ("speech", "safetensors", "safetensors")


def check_served(bundle: Bundle) -> None:
    """Raises BundleError for a module that is described well and that this version cannot load."""
    for modality, module in bundle.modules.items():
        known = SERVED[modality]
        given = (module.kind, module.format)
        if not any(given == (kind, form) and arch in (None, module.arch) for kind, form, arch in known):
            forms = ", ".join(f"{kind} {form} {arch or ''}".strip() for kind, form, arch in known)
            way_out = f"; leave it out with --no-{modality}"
            if modality == "text":
                way_out = ": text is computed by llama.cpp; convert the checkpoint (autoglm-phone convert HF_DIR)"
            raise BundleError(
                f"{bundle.id}: [{modality}] is {module.kind} {module.format} {module.arch}, which this version cannot "
                f"serve, only {forms}{way_out}"
            )
        projector = module.projector
        if projector is not None and (modality, module.format, projector.format) != PROJECTED:
            raise BundleError(
                f"{bundle.id}: [{modality}.projector] is {projector.format} behind {module.format}, which this version "
                "cannot serve; only a speech encoder's may stand in a file of its own, both in safetensors"
            )


def load_bundle(place: Path) -> Bundle:
    """The bundle in a folder, or of a bundle.toml. Raises BundleError that names the file and the field."""
    path = place / BUNDLE_FILE if place.is_dir() else place
    toml = _read_toml(path)
    prompt = _read_text(path.parent / PROMPT_FILE).strip()
    if not prompt:
        raise BundleError(f"{path.parent / PROMPT_FILE} is empty; say who the assistant is and what it can do")
    found: dict[Modality, ModuleSpec | None] = {"text": toml.text, "vision": toml.vision, "speech": toml.speech}
    modules = {modality: module for modality, module in found.items() if module is not None}
    for fault in _faults(modules):
        raise BundleError(f"{path}: {fault}")
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


def _faults(modules: Mapping[Modality, ModuleSpec]) -> Iterable[str]:
    for modality, module in modules.items():
        yield from module.faults(modality)
    wanted = modules["text"].widths.d_model
    for modality, module in modules.items():
        if module.kind == "encoder" and module.d_out != wanted:
            said = f"{wanted}" if wanted is not None else "not given"
            yield (
                f"[{modality}] gives embeddings of {module.d_out} numbers (d_out), and the decoder's widths.d_model is "
                f"{said}"
            )
