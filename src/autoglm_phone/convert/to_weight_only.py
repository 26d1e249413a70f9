"""A checkpoint to our safetensors form with int8 or int4 weights (weights/weight_only.py), for the PyTorch modules.

Names, norms, biases, embeddings and convolutions stay as they are, and so does the folder's layout.
"""

import math
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from autoglm_phone.convert.draft_file import Buffer, Part, write_resumably
from autoglm_phone.convert.encode import in_order
from autoglm_phone.convert.fingerprint import fingerprint
from autoglm_phone.convert.planned import CHUNK_ELEMENTS, Rule, rows_of
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.checkpoint import CONFIG_FILE, WEIGHTS_FILE, Checkpoint
from autoglm_phone.weights.dequantize import Floats
from autoglm_phone.weights.progress import Progress
from autoglm_phone.weights.safetensors_file import LENGTH_BYTES, NOTES, StoredTensor
from autoglm_phone.weights.verified import replace_file
from autoglm_phone.weights.weight_only import CODES, CONFIG_KEY, GROUP, SCALES, Bits, codes_of, scales_of

FLOATS = ("F32", "F16", "BF16")
# Looked up by row, not multiplied with.
TABLES = ("embed_tokens.weight", "position_embedding.weight", "embed_positions.weight")
HEAD = "lm_head.weight"
# Of GLM-4.1V, Whisper, GLM-ASR and projectors; checkpoints of different ages have `model.` in front or not.
ENCODERS = re.compile(r"(model\.)?(visual|encoder|audio_tower|multi_modal_projector)\.")
ALSO_COPIED = (
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json"),
    *("preprocessor_config.json", "generation_config.json", "README.md", "LICENSE"),
)

# in_order with its executor
Run = Callable[[Callable[[Floats], Buffer], Iterable[Floats]], Iterator[Buffer]]


@dataclass(frozen=True)
class _Stored:
    """A tensor of the result, and what its bytes are made from."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    chunks: Callable[[], Iterable[Buffer]]


def convert_weight_only(checkpoint: Checkpoint, out: Path, bits: Bits, threads: int, progress: Progress) -> Path:
    """Writes a folder in the layout of the source. Raises BundleError."""
    with ThreadPoolExecutor(threads) as executor:
        run = partial(in_order, executor, threads)
        tensors = [one for tensor in _in_file_order(checkpoint) for one in _results(checkpoint, tensor, bits, run)]
        parts = [Part(tensor.size_bytes, tensor.chunks) for tensor in tensors]
        notes = {"format": "pt", "autoglm.source": fingerprint(checkpoint.files)}
        write_resumably(out / WEIGHTS_FILE, _head(tensors, notes), parts, progress)
    for name in ALSO_COPIED:
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, out / name)
    config = {**checkpoint.config, CONFIG_KEY: {"bits": bits, "group_size": GROUP}}
    replace_file(out / CONFIG_FILE, msgspec.json.format(msgspec.json.encode(config)))
    return out


def encoders_of(checkpoint: Checkpoint) -> Checkpoint:
    """Without the text. Raises BundleError if nothing else is in it."""
    kept = {name: tensor for name, tensor in checkpoint.tensors.items() if ENCODERS.match(name)}
    if not kept:
        raise BundleError(f"{checkpoint.folder.name} holds no encoder and no projector")
    return replace(checkpoint, tensors=kept)


def is_packed(tensor: StoredTensor) -> bool:
    """Whether the tensor is a linear layer's weight whose rows are whole groups."""
    return (
        tensor.dtype in FLOATS
        and len(tensor.shape) == 2
        and tensor.shape[1] % GROUP == 0
        and tensor.name.endswith(".weight")
        and not tensor.name.endswith(TABLES)
    )


def _results(checkpoint: Checkpoint, tensor: StoredTensor, bits: Bits, run: Run) -> list[_Stored]:
    if not is_packed(tensor):
        return [_Stored(tensor.name, tensor.dtype, tensor.shape, tensor.size_bytes, partial(_as_it_is, tensor))]
    of_this: Bits = 8 if tensor.name == HEAD else bits  # all hangs on it, and it is small
    rows, columns = tensor.shape
    codes, scales = (rows, columns * of_this // 8), (rows, columns // GROUP)
    source = partial(rows_of, checkpoint, Rule(tensor.name, tensor.name, tensor.shape))

    def to_codes(some: Floats) -> Buffer:
        return codes_of(some, scales_of(some, of_this), of_this)

    def to_scales(some: Floats) -> Buffer:
        return scales_of(some, of_this)

    # Codes stand before scales in the file: these are reckoned a second time rather than kept.
    return [
        _Stored(
            f"{tensor.name}{CODES}",
            "I8" if of_this == 8 else "U8",
            codes,
            math.prod(codes),
            lambda: run(to_codes, source()),
        ),
        _Stored(f"{tensor.name}{SCALES}", "F16", scales, 2 * math.prod(scales), lambda: run(to_scales, source())),
    ]


def _as_it_is(tensor: StoredTensor) -> Iterator[Buffer]:
    step = max(1, CHUNK_ELEMENTS // tensor.row_bytes)
    for start in range(0, tensor.num_rows, step):
        yield tensor.data(start, start + step)


def _in_file_order(checkpoint: Checkpoint) -> list[StoredTensor]:
    """Read from front to back."""
    return sorted(checkpoint.tensors.values(), key=lambda tensor: (tensor.path.name, tensor.offset))


def _head(tensors: Iterable[_Stored], notes: Mapping[str, str]) -> bytes:
    directory: dict[str, object] = {NOTES: notes}
    at = 0
    for tensor in tensors:
        end = at + tensor.size_bytes
        directory[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": (at, end)}
        at = end
    header = msgspec.json.encode(directory)
    header += b" " * (-len(header) % 8)  # so that the numbers behind it are aligned
    return len(header).to_bytes(LENGTH_BYTES, "little") + header
