"""Ears and eyes for the peer: one mmproj file with a whisper-base encoder and a small ViT, for a given decoder.

    python -m benchmarks.peer_mmproj --gguf decoder.gguf --whisper model.bin --out mmproj.gguf

whisper-base's weights are the bundle's own (CTranslate2's model.bin); the ViT (384 wide, 12 layers, patches of 16)
and both projectors are random. What the peer answers to a medium is nonsense, what that costs is what it would cost.
Keys and names: llama.cpp b11549, tools/mtmd/clip-impl.h.
"""

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import gguf
import numpy as np
from numpy.typing import NDArray

from autoglm_phone.weights.gguf_file import read_metadata

Array = NDArray[np.generic]
CT2_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}  # CTranslate2's DataType
AUDIO_WIDTH, AUDIO_FFN, AUDIO_LAYERS, AUDIO_HEADS, MEL_BINS = 512, 2048, 6, 8, 80
STACK = 6  # must divide the 1,500 positions of 30 s: 250 tokens a clip
AUDIO_HIDDEN = 2048  # ultravox: the projector's inner width; half of it stays behind the SwiGLU
VISION_WIDTH, VISION_FFN, VISION_LAYERS, VISION_HEADS, PATCH, MERGE = 384, 1536, 12, 6, 16, 2
IMAGE_SIDE = 768  # of the learned positions, 48 x 48


def read_ct2(file: BinaryIO) -> Iterator[tuple[str, Array]]:
    """Names and weights of a CTranslate2 model. Source: its converters' specs/model_spec.py, format 6."""

    def text() -> str:
        (length,) = struct.unpack("<H", file.read(2))
        return file.read(length).rstrip(b"\0").decode()

    (version,) = struct.unpack("<I", file.read(4))
    if version != 6:
        raise ValueError(f"the file is of CTranslate2's format {version}, this reads 6")
    text()
    _, count = struct.unpack("<II", file.read(8))
    for _ in range(count):
        name = text()
        (rank,) = struct.unpack("<B", file.read(1))
        shape = struct.unpack(f"<{rank}I", file.read(4 * rank))
        kind, size = struct.unpack("<BI", file.read(5))
        yield name, np.frombuffer(file.read(size), CT2_TYPES[kind]).reshape(shape)


class Writer:
    """Tensors as llama.cpp wants them: matrices in half precision, vectors in single."""

    def __init__(self, path: Path) -> None:
        self.gguf = gguf.GGUFWriter(path, "clip")
        self._random = np.random.default_rng(0)

    def put(self, name: str, array: Array, dtype: type[np.generic] | None = None) -> None:
        wanted = dtype or (np.float32 if array.ndim < 2 else np.float16)
        self.gguf.add_tensor(name, np.ascontiguousarray(array, dtype=wanted))

    def random(self, name: str, *shape: int, dtype: type[np.generic] | None = None) -> None:
        self.put(name, self._random.standard_normal(shape) * 0.02, dtype)

    def norm(self, name: str, width: int) -> None:
        self.put(f"{name}.weight", np.ones(width))
        self.put(f"{name}.bias", np.zeros(width))

    def linear(self, name: str, rows: int, columns: int) -> None:
        self.random(f"{name}.weight", rows, columns)
        self.random(f"{name}.bias", rows)

    def close(self) -> None:
        self.gguf.write_header_to_file()
        self.gguf.write_kv_data_to_file()
        self.gguf.write_tensors_to_file()
        self.gguf.close()


def write_hyperparameters(writer: gguf.GGUFWriter, d_model: int) -> None:
    writer.add_string("general.type", "mmproj")
    writer.add_bool("clip.use_gelu", True)
    sizes = {
        "vision": ("qwen3vl_merger", VISION_WIDTH, VISION_FFN, VISION_LAYERS, VISION_HEADS, 1e-6),
        "audio": ("ultravox", AUDIO_WIDTH, AUDIO_FFN, AUDIO_LAYERS, AUDIO_HEADS, 1e-5),
    }
    for modality, (projector, width, ffn, layers, heads, epsilon) in sizes.items():
        writer.add_bool(f"clip.has_{modality}_encoder", True)
        writer.add_string(f"clip.{modality}.projector_type", projector)
        writer.add_uint32(f"clip.{modality}.embedding_length", width)
        writer.add_uint32(f"clip.{modality}.feed_forward_length", ffn)
        writer.add_uint32(f"clip.{modality}.block_count", layers)
        writer.add_uint32(f"clip.{modality}.attention.head_count", heads)
        writer.add_float32(f"clip.{modality}.attention.layer_norm_epsilon", epsilon)
        writer.add_uint32(f"clip.{modality}.projection_dim", d_model)
    writer.add_uint32("clip.audio.num_mel_bins", MEL_BINS)
    writer.add_uint32("clip.audio.projector.stack_factor", STACK)
    writer.add_uint32("clip.vision.image_size", IMAGE_SIDE)
    writer.add_uint32("clip.vision.patch_size", PATCH)
    writer.add_uint32("clip.vision.spatial_merge_size", MERGE)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])


def write_whisper(writer: Writer, weights: dict[str, Array], d_model: int) -> None:
    """The encoder's own weights, and a random ultravox projector."""
    for number in (1, 2):
        writer.put(f"a.conv1d.{number}.weight", weights[f"encoder/conv{number}/weight"], np.float16)
        writer.put(f"a.conv1d.{number}.bias", weights[f"encoder/conv{number}/bias"][:, None], np.float32)
    writer.put("a.position_embd.weight", weights["encoder/position_encodings/encodings"], np.float32)
    for layer in range(AUDIO_LAYERS):
        source, target = f"encoder/layer_{layer}", f"a.blk.{layer}"
        matrices = np.split(weights[f"{source}/self_attention/linear_0/weight"], 3)  # query, key, value in one
        biases = np.split(weights[f"{source}/self_attention/linear_0/bias"], 3)
        for name, matrix, bias in zip("qkv", matrices, biases, strict=True):
            writer.put(f"{target}.attn_{name}.weight", matrix)
            if name != "k":  # whisper has none, CTranslate2 writes zeros
                writer.put(f"{target}.attn_{name}.bias", bias)
        for theirs, ours in {
            "self_attention/linear_1": "attn_out",
            "ffn/linear_0": "ffn_up",
            "ffn/linear_1": "ffn_down",
        }.items():
            for part in ("weight", "bias"):
                writer.put(f"{target}.{ours}.{part}", weights[f"{source}/{theirs}/{part}"])
        for theirs, ours in {"self_attention": "ln1", "ffn": "ln2"}.items():
            put_norm(writer, f"{target}.{ours}", weights, f"{source}/{theirs}/layer_norm")
    put_norm(writer, "a.post_ln", weights, "encoder/layer_norm")
    writer.put("mm.a.norm_pre.weight", np.ones(STACK * AUDIO_WIDTH))
    writer.random("mm.a.mlp.1.weight", AUDIO_HIDDEN, STACK * AUDIO_WIDTH)
    writer.put("mm.a.norm_mid.weight", np.ones(AUDIO_HIDDEN // 2))
    writer.random("mm.a.mlp.2.weight", d_model, AUDIO_HIDDEN // 2)


def put_norm(writer: Writer, name: str, weights: dict[str, Array], source: str) -> None:
    writer.put(f"{name}.weight", weights[f"{source}/gamma"])
    writer.put(f"{name}.bias", weights[f"{source}/beta"])


def write_vit(writer: Writer, d_model: int) -> None:
    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
        writer.random(name, VISION_WIDTH, 3, PATCH, PATCH, dtype=np.float32)
    writer.random("v.patch_embd.bias", VISION_WIDTH)
    writer.random("v.position_embd.weight", (IMAGE_SIDE // PATCH) ** 2, VISION_WIDTH, dtype=np.float32)
    for layer in range(VISION_LAYERS):
        block = f"v.blk.{layer}"
        writer.norm(f"{block}.ln1", VISION_WIDTH)
        writer.norm(f"{block}.ln2", VISION_WIDTH)
        writer.linear(f"{block}.attn_qkv", 3 * VISION_WIDTH, VISION_WIDTH)
        writer.linear(f"{block}.attn_out", VISION_WIDTH, VISION_WIDTH)
        writer.linear(f"{block}.ffn_up", VISION_FFN, VISION_WIDTH)
        writer.linear(f"{block}.ffn_down", VISION_WIDTH, VISION_FFN)
    writer.norm("v.post_ln", VISION_WIDTH)
    merged = MERGE * MERGE * VISION_WIDTH
    writer.linear("mm.0", merged, merged)
    writer.linear("mm.2", d_model, merged)


def build(gguf_file: Path, whisper: Path, target: Path) -> None:
    metadata = read_metadata(gguf_file)
    d_model = metadata[f"{metadata['general.architecture']}.embedding_length"]
    assert isinstance(d_model, int)
    with whisper.open("rb") as file:
        weights = dict(read_ct2(file))
    unfinished = target.with_suffix(".part")
    writer = Writer(unfinished)
    write_hyperparameters(writer.gguf, d_model)
    write_whisper(writer, weights, d_model)
    write_vit(writer, d_model)
    writer.close()
    unfinished.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True, help="the decoder that is to hear and see")
    parser.add_argument("--whisper", type=Path, required=True, help="model.bin of whisper-base for CTranslate2")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    build(arguments.gguf, arguments.whisper, arguments.out)


if __name__ == "__main__":
    main()
