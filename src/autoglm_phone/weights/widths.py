"""Widths as the headers of a module's files have them, held against those of bundle.toml. No tensor is read.

What a header does not say is not compared: ONNX and CTranslate2 files are only hashed.
Source of the keys and names: llama.cpp, gguf-py/gguf/constants.py; transformers, modeling_glm4v.py and
modeling_whisper.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.module import Modality
from autoglm_phone.weights.bundle import Bundle
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.module_spec import ModuleSpec, ProjectorSpec, Widths
from autoglm_phone.weights.safetensors_file import read_safetensors

# Lists of strings that are long to read and say nothing here.
VOCABULARY = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
CLIP_MODALITIES: Mapping[Modality, str] = {"vision": "vision", "speech": "audio"}
# The last matrices of llama.cpp's projectors: rows are numbers of the embedding.
CLIP_OUTPUTS: Mapping[Modality, Sequence[str]] = {
    "vision": ("mm.down.weight", "mm.2.weight"),
    "speech": ("mm.a.mlp.2.weight",),
}
GROUP = 128  # numbers for which a quantised safetensors file has one scale (weight_only.py)
SCALES = ".scales"


@dataclass(frozen=True)
class _Named:
    """Where a width stands in a safetensors file. axis: of the tensor whose name ends in `name`."""

    width: str
    name: str
    axis: int


MODULE_TENSORS = (
    _Named("d_model", "embed_tokens.weight", -1),
    _Named("d_out", "merger.down_proj.weight", 0),
    _Named("d_out", "encoder.layer_norm.weight", 0),
    _Named("d_out", "audio_tower.norm.weight", 0),
)
# A speech encoder whose projector is among its own files gives what that gives.
WHOLE_SPEECH_TENSORS = (_Named("d_out", "multi_modal_projector.linear_2.weight", 0),)
PROJECTOR_TENSORS = (
    _Named("d_in", "linear_1.weight", -1),
    _Named("d_out", "linear_2.weight", 0),
)


def decoder_width(path: Path) -> int | None:
    """d_model as a decoder's GGUF has it. Raises BundleError."""
    return next((number for width, number, _ in _gguf_widths("text", path) if width == "d_model"), None)


def check_widths(bundle: Bundle, files: Mapping[Modality, Sequence[Path]]) -> None:
    """files: the weights of each module. Raises BundleError that names each contradiction, or a damaged file."""
    faults = [fault for name, module in bundle.modules.items() for fault in width_faults(name, module, files[name])]
    if faults:
        raise BundleError("\n".join([f"the bundle {bundle.id} is not what its files are:", *faults]))


def width_faults(modality: Modality, module: ModuleSpec, files: Sequence[Path]) -> list[str]:
    """Where the headers of `files` (module.weights, in order) contradict the bundle. Raises BundleError if one is
    damaged."""
    own, projector = files[: len(module.files)], files[len(module.files) :]
    faults = list(_compared(modality, module.widths, _found(modality, module, own)))
    if module.projector is not None:
        faults += _compared(
            f"{modality}.projector", module.projector.widths, _found(modality, module.projector, projector)
        )
    return faults


def _compared(where: str, declared: Widths, found: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    for width, number, place in found:
        wanted = getattr(declared, width)
        # a projector of sounds takes several frames at once
        if wanted is not None and (number % wanted if width == "d_in" else number != wanted):
            yield f"{where}: bundle.toml has {width} = {wanted}, and {place} has {number}"


def _found(
    modality: Modality, part: ModuleSpec | ProjectorSpec, files: Sequence[Path]
) -> Iterator[tuple[str, int, str]]:
    """Each width, its number, and where it stands."""
    match part.format:
        case "gguf":
            for path in files:
                yield from _gguf_widths(modality, path)
        case "safetensors":
            named = _named(modality, part)
            for path in files:
                if path.suffix == ".safetensors":
                    yield from _safetensors_widths(path, named)
        case _:
            return


def _named(modality: Modality, part: ModuleSpec | ProjectorSpec) -> Sequence[_Named]:
    if isinstance(part, ProjectorSpec):
        return PROJECTOR_TENSORS
    return WHOLE_SPEECH_TENSORS if modality == "speech" and part.projector is None else MODULE_TENSORS


def _gguf_widths(modality: Modality, path: Path) -> Iterator[tuple[str, int, str]]:
    file = read_tensors(path, counted=VOCABULARY)
    architecture = file.metadata.get("general.architecture")
    if architecture == "clip":
        kind = CLIP_MODALITIES.get(modality, "vision")
        key, width, tensors = f"clip.{kind}.projection_dim", "d_out", CLIP_OUTPUTS.get(modality, ())
    else:
        key, width, tensors = f"{architecture}.embedding_length", "d_model", ("token_embd.weight",)
    number = file.metadata.get(key)
    if isinstance(number, int):
        yield width, number, f"{key} of {path.name}"
    for name in tensors:
        if name in file.entries:
            yield width, file.entries[name].shape[-1 if width == "d_model" else 0], f"{name} of {path.name}"


def _safetensors_widths(path: Path, named: Sequence[_Named]) -> Iterator[tuple[str, int, str]]:
    for name, tensor in read_safetensors(path).items():
        for one in named:
            if name.endswith(one.name) and tensor.shape:
                yield one.width, tensor.shape[one.axis], f"{name} of {path.name}"
            elif name.endswith(one.name + SCALES) and tensor.shape:
                scale = GROUP if one.axis == -1 else 1
                yield one.width, tensor.shape[one.axis] * scale, f"{name} of {path.name}"
