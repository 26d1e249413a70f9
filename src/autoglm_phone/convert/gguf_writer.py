"""A GGUF file in a stream: its head by the `gguf` package, then one tensor after the other.

The package's writer keeps tensors until it writes them; here it writes everything in front of them.
"""

import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoglm_phone.convert.draft_file import Buffer, Part, write_resumably
from autoglm_phone.convert.planned import Planned
from autoglm_phone.core.errors import MissingDependency
from autoglm_phone.weights.gguf_types import number_of
from autoglm_phone.weights.progress import Progress

ALIGNMENT = 32  # the format's default

# str, bool, and lists of them are what they are; int becomes uint32 (in lists int32), float becomes float32.
Entry = bool | int | float | str | list[str] | list[int] | list[float]


@dataclass(frozen=True)
class Filled:
    """A planned tensor and the bytes that it is made of, row after row."""

    planned: Planned
    chunks: Callable[[], Iterable[Buffer]]


def write_gguf(target: Path, metadata: Mapping[str, Entry], tensors: Sequence[Filled], progress: Progress) -> None:
    """As write_resumably, whose errors it has. metadata must begin with general.architecture."""
    parts = [
        Part(filled.planned.size_bytes, filled.chunks, padding=-filled.planned.size_bytes % ALIGNMENT)
        for filled in tensors
    ]
    write_resumably(target, _head(metadata, [filled.planned for filled in tensors]), parts, progress)


def file_bytes(metadata: Mapping[str, Entry], tensors: Iterable[Planned]) -> int:
    """What such a file will have, without anything being written but its head."""
    tensors = list(tensors)
    return len(_head(metadata, tensors)) + sum(_aligned(planned.size_bytes) for planned in tensors)


def _head(metadata: Mapping[str, Entry], tensors: Sequence[Planned]) -> bytes:
    gguf = _library()
    writer = gguf.GGUFWriter(None, str(metadata["general.architecture"]))
    for key, value in metadata.items():
        if key != "general.architecture":  # the writer has set it
            writer.add_key_value(key, value, _kind(gguf, value))
    for planned in tensors:
        type_ = gguf.GGMLQuantizationType(number_of(planned.type))
        writer.add_tensor_info(planned.name, planned.shape, np.dtype(np.float32), planned.size_bytes, type_)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.gguf"
        writer.write_header_to_file(path)
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        head = path.read_bytes()
    return head + bytes(-len(head) % ALIGNMENT)


def _kind(gguf: Any, value: Entry) -> Any:
    kinds = gguf.GGUFValueType
    match value:
        case bool():
            return kinds.BOOL
        case int():
            return kinds.UINT32
        case float():
            return kinds.FLOAT32
        case str():
            return kinds.STRING
        case list():
            return kinds.ARRAY


def _library() -> Any:
    try:
        import gguf
    except ImportError:
        raise MissingDependency("gguf is not installed; run: pip install 'autoglm-phone[convert]'") from None
    return gguf


def _aligned(size_bytes: int) -> int:
    return math.ceil(size_bytes / ALIGNMENT) * ALIGNMENT
