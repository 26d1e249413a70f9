"""A folder as model hubs have it: config.json, and tensors in one safetensors file or in shards with an index.

Knows where tensors are and not what they mean. Everything in the folder is hostile: sizes before reading, names of
files before opening; what is wrong is a BundleError that names the file and the field.
Source: github.com/huggingface/transformers, src/transformers/modeling_utils.py (save_pretrained).
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.safetensors_file import Bytes, StoredTensor, read_safetensors

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MAX_CONFIG_BYTES = 1 << 20
MAX_INDEX_BYTES = 8 << 20
MAX_SHARDS = 1000

# A name, never a path: an index cannot make us open a file outside of its folder.
ShardName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors\Z")]
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Checkpoint:
    """config: the object in config.json, unchecked. tensors: by their names in the files."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]

    def tensor(self, name: str) -> StoredTensor:
        """Raises BundleError if there is none of this name."""
        found = self.tensors.get(name)
        if found is None:
            raise BundleError(f"{self.folder.name} has no tensor {name!r}")
        return found

    def data(self, name: str) -> Bytes:
        """(rows, bytes of a row) uint8 as StoredTensor.data has them. Raises BundleError."""
        return self.tensor(name).data()

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted({tensor.path for tensor in self.tensors.values()}))


class _Index(msgspec.Struct, frozen=True):
    """Its other field, `metadata`, holds a size that is not needed."""

    weight_map: dict[str, ShardName]


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one; opening it may still fail."""
    return (folder / CONFIG_FILE).is_file() and any((folder / name).is_file() for name in (INDEX_FILE, WEIGHTS_FILE))


def open_checkpoint(folder: Path) -> Checkpoint:
    """The config and the directories of all shards; no tensor is touched. Raises BundleError."""
    config = read_json(folder / CONFIG_FILE, dict[str, Any], MAX_CONFIG_BYTES)
    if (folder / INDEX_FILE).exists():
        return Checkpoint(folder, config, _indexed(folder))
    return Checkpoint(folder, config, read_safetensors(folder / WEIGHTS_FILE))


def _indexed(folder: Path) -> Mapping[str, StoredTensor]:
    weight_map = read_json(folder / INDEX_FILE, _Index, MAX_INDEX_BYTES).weight_map
    shards = sorted(set(weight_map.values()))
    if len(shards) > MAX_SHARDS:
        raise BundleError(f"{INDEX_FILE} is damaged at weight_map: it names {len(shards)} files, over {MAX_SHARDS}")
    tensors: dict[str, StoredTensor] = {}
    for shard in shards:
        for name, tensor in read_safetensors(folder / shard).items():
            if weight_map.get(name) != shard:
                raise BundleError(f"{INDEX_FILE} does not know tensor {name!r} of {shard}; fetch the folder again")
            tensors[name] = tensor
    for name, shard in weight_map.items():
        if name not in tensors:
            raise BundleError(f"{shard} lacks tensor {name!r}, which {INDEX_FILE} says it has; fetch the folder again")
    return tensors


def read_json(path: Path, type_: type[Parsed], limit_bytes: int) -> Parsed:
    """A JSON file as `type_`. Raises BundleError that names the file and, with a struct, the field."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BundleError(f"{path.name} is not a file")
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit_bytes:
        raise BundleError(f"{path.name} is longer than {limit_bytes} bytes")
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise BundleError(f"{path.name} is damaged: {error}; fetch it again") from error
