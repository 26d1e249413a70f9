"""GGUF files of a few hundred bytes: a decoder's and its encoders', with widths in keys and in tensors."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np


def write_gguf(
    path: Path, arch: str, keys: Mapping[str, str | int | bool], tensors: Mapping[str, tuple[int, ...]]
) -> Path:
    """shapes in numpy's order, zeros in float32."""
    writer = gguf.GGUFWriter(path, arch)
    for key, value in keys.items():
        match value:
            case bool():
                writer.add_bool(key, value)
            case int():
                writer.add_uint32(key, value)
            case str():
                writer.add_string(key, value)
    for name, shape in tensors.items():
        writer.add_tensor(name, np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_decoder(path: Path, width: int = 8, *, said: int | None = None) -> Path:
    """said: what its key has, where that is another width."""
    keys: dict[str, str | int | bool] = {
        "general.name": "Tiny",
        "glm4.embedding_length": said or width,
        "glm4.context_length": 4096,
        "glm4.block_count": 1,
        "glm4.attention.head_count": 1,
    }
    return write_gguf(path, "glm4", keys, {"token_embd.weight": (4, width)})


def write_mmproj(path: Path, width: int = 8) -> Path:
    keys: dict[str, str | int | bool] = {
        "clip.has_vision_encoder": True,
        "clip.vision.projector_type": "glm4v",
        "clip.vision.projection_dim": width,
    }
    return write_gguf(path, "clip", keys, {"mm.down.weight": (width, 12)})
