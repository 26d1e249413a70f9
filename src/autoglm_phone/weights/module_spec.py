"""One module of a bundle, as bundle.toml describes it: kind, form, files with digests, widths, projector, licence.

Knows nothing of where the files are (store.py) nor of what is in them (widths.py looks at that).
"""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta

from autoglm_phone.core.ids import Digest
from autoglm_phone.core.module import Mark, Modality, ModuleKind

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
Word = Annotated[str, Meta(min_length=1, max_length=2000)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Width = Annotated[int, Meta(ge=1, le=1 << 20)]

MAX_MARK_CHARS = 200

# What the format can say; what this version can load of it, bundle.py knows.
FORMATS: dict[tuple[Modality, ModuleKind], frozenset[str]] = {
    ("text", "decoder"): frozenset({"gguf", "safetensors"}),
    ("vision", "transcriber"): frozenset({"onnx"}),
    ("vision", "encoder"): frozenset({"gguf", "safetensors", "onnx"}),
    ("speech", "transcriber"): frozenset({"ctranslate2"}),
    ("speech", "encoder"): frozenset({"gguf", "safetensors", "onnx"}),
    ("voice", "speaker"): frozenset({"onnx"}),
}


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


class Widths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers in one embedding. d_model: a decoder's; d_in: what a projector takes; d_out: what a module gives."""

    d_model: Width | None = None
    d_in: Width | None = None
    d_out: Width | None = None


class ProjectorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Brings an encoder's output to the decoder's width, where that is not part of the encoder's own file."""

    format: Name
    arch: Name
    files: Annotated[tuple[FileSpec, ...], Meta(min_length=1)]
    widths: Widths


class ModuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One module.

    package        set where the files are used where that installed package has them, and never copied
    widths         of an encoder required, of a decoder if the bundle has an encoder
    projector      of an encoder whose file gives another width than the decoder's
    template       of a decoder: a chat template that stands for the one in its file
    mark           of an encoder: what it was trained to stand between, where that is not what the template writes
    licence_files  texts in the folder `licences` beside bundle.toml, or beside the catalogue's bundles
    """

    kind: ModuleKind
    format: Name
    arch: Name
    version: Word
    licence: Word
    files: Annotated[tuple[FileSpec, ...], Meta(min_length=1)]
    limits: Word
    package: Name | None = None
    hub: HubSpec | None = None
    widths: Widths = Widths()
    projector: ProjectorSpec | None = None
    template: FileSpec | None = None
    mark: Mark | None = None
    licence_files: tuple[Name, ...] = ()

    @property
    def weights(self) -> tuple[FileSpec, ...]:
        """What its answers come from: its own files, then those of its projector."""
        return self.files if self.projector is None else (*self.files, *self.projector.files)

    @property
    def all_files(self) -> tuple[FileSpec, ...]:
        return self.weights if self.template is None else (*self.weights, self.template)

    @property
    def digest(self) -> Digest:
        """Of the weights: that of the only file, or one over the names and digests of all."""
        if len(self.weights) == 1:
            return self.weights[0].digest
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.weights)
        return Digest(hashlib.sha256(lines.encode()).hexdigest())

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.all_files)

    @property
    def d_out(self) -> int | None:
        """What reaches the decoder."""
        return self.widths.d_out if self.projector is None else self.projector.widths.d_out

    def faults(self, modality: Modality) -> Iterable[str]:
        """What it says of itself that cannot be, field by field; nothing is read for it."""
        where = f"[{modality}]"
        formats = FORMATS.get((modality, self.kind))
        if formats is None:
            kinds = " or ".join(repr(kind) for one, kind in FORMATS if one == modality)
            yield f"kind {self.kind!r} of {where} is not known, only {kinds}"
        elif self.format not in formats:
            yield f"format {self.format!r} of {where} is not known, only {_either(formats)}"
        if self.format == "gguf" and len(self.files) != 1:
            yield f"{where} names {len(self.files)} files; a GGUF is one"
        names = [file.name for file in self.all_files]
        if len(set(names)) != len(names):
            yield f"two files of {where} have one name"
        for file in self.all_files:
            for part in file.parts:
                way = PurePosixPath(part.path)
                if way.is_absolute() or ".." in way.parts:
                    yield f"the path {part.path!r} of {where} leads out of its package"
        if self.template is not None and self.kind != "decoder":
            yield f"{where} has a template; only a decoder has one"
        if self.mark is not None:
            if self.kind != "encoder":
                yield f"{where} has a mark; only an encoder has one"
            if max(len(self.mark.before), len(self.mark.behind)) > MAX_MARK_CHARS:
                yield f"the mark of {where} has more than {MAX_MARK_CHARS} characters on one side"
        yield from self._width_faults(where)

    def _width_faults(self, where: str) -> Iterable[str]:
        if self.projector is not None:
            if self.kind != "encoder":
                yield f"{where} has a projector; only an encoder has one"
            given, taken = self.widths.d_out, self.projector.widths.d_in
            if given != taken:
                yield f"{where} gives {_numbers(given)} (widths.d_out), its projector takes {_numbers(taken)} (d_in)"
        if self.kind == "encoder" and self.d_out is None:
            yield f"{where} has no widths.d_out; say how wide the embeddings are that it gives"


def _either(words: Iterable[str]) -> str:
    return " or ".join(repr(word) for word in sorted(words))


def _numbers(width: int | None) -> str:
    return f"{width} numbers" if width is not None else "an unknown number"
