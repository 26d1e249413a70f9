"""What an encoder is loaded from: an mmproj GGUF, or a config.json with safetensors, behind one face.

Knows where settings and tensors are and not what they mean. Only the files that it is given are opened: they are those
that were verified.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.packed_form import PackedForm
from autoglm_phone.weights.checkpoint import CONFIG_FILE, MAX_CONFIG_BYTES, Checkpoint, read_json
from autoglm_phone.weights.gguf_tensors import read_tensors
from autoglm_phone.weights.name_map import NameMap
from autoglm_phone.weights.safetensors_file import StoredTensor, read_safetensors
from autoglm_phone.weights.tensor_map import CheckpointFloats, GgufFloats

SAFETENSORS = ".safetensors"
PREPROCESSOR_FILE = "preprocessor_config.json"
NOT_OURS = (PREPROCESSOR_FILE, "generation_config.json", "tokenizer_config.json")
FLOAT_BYTES = 4
# Of packed weights (ops/packed_linear.py): two runs of rows, the one being unpacked and the one being multiplied.
UNPACKED_BYTES = 2 * 4 * FLOAT_BYTES << 20


@dataclass(frozen=True)
class EncoderFiles:
    """settings: an mmproj's metadata, or the object in config.json; unchecked. preprocessor: that of pixels, if any."""

    is_gguf: bool
    settings: Mapping[str, Any]
    tensors: GgufFloats | CheckpointFloats
    size_bytes: int
    preprocessor: Path | None = None

    def held_bytes(self, names: NameMap) -> int:
        """What the tensors of a module take once they are loaded: in their packed form, or in float32."""
        return sum(
            _held_bytes(self.tensors.shape(name), self.tensors.form(name)) for name in _in_scope(self.tensors, names)
        )

    def has_packed(self, names: NameMap) -> bool:
        return any(self.tensors.form(name) is not None for name in _in_scope(self.tensors, names))


def open_encoder(files: Sequence[Path]) -> EncoderFiles:
    """The headers; no tensor is touched. Of a module in safetensors all files, those of its projector too.

    Raises BundleError that names the file at fault.
    """
    size_bytes = sum(path.stat().st_size for path in files)
    weights = [path for path in files if path.suffix == SAFETENSORS]
    if not weights:
        [path] = files
        file = read_tensors(path)
        return EncoderFiles(True, file.metadata, GgufFloats(file), size_bytes)
    configs = [path for path in files if path.name.endswith(CONFIG_FILE) and not path.name.endswith(NOT_OURS)]
    if len(configs) != 1:
        raise BundleError(
            f"{len(configs)} files of the encoder are called {CONFIG_FILE}, or end so; one has to be, beside "
            f"{weights[0].name}: it says what the tensors are"
        )
    [config] = configs
    settings = read_json(config, dict[str, Any], MAX_CONFIG_BYTES)
    tensors = CheckpointFloats(Checkpoint(config.parent, settings, _joined(weights)))
    preprocessor = next((path for path in files if path.name.endswith(PREPROCESSOR_FILE)), None)
    return EncoderFiles(False, settings, tensors, size_bytes, preprocessor)


def _joined(weights: Sequence[Path]) -> Mapping[str, StoredTensor]:
    """Of all shards."""
    tensors: dict[str, StoredTensor] = {}
    for path in weights:
        for name, tensor in read_safetensors(path).items():
            if name in tensors:
                raise BundleError(f"tensor {name!r} is in {tensors[name].path.name} and in {path.name}")
            tensors[name] = tensor
    return tensors


def _in_scope(tensors: GgufFloats | CheckpointFloats, names: NameMap) -> list[str]:
    return [name for name in tensors if names.scope.match(name)]


def _held_bytes(shape: tuple[int, ...], form: PackedForm | None) -> int:
    num_elements = math.prod(shape)
    return num_elements * FLOAT_BYTES if form is None else form.size_bytes(num_elements)
