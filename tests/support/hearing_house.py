"""Tiny decoders with speech encoders beside them, as `convert` writes them and as hubs have them; and sounds."""

import io
import json
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tiny_checkpoint import write_checkpoint, write_safetensors, write_whisper

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.backends.llama_cpp.quantise import Quantiser
from autoglm_phone.convert.to_gguf import Conversion, Speech, convert_encoders, convert_text
from autoglm_phone.core.module import Mark, Modality
from autoglm_phone.weights.checkpoint import open_checkpoint
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec
from autoglm_phone.weights.progress import silent
from autoglm_phone.weights.store import LocatedModule

Samples = np.ndarray[Any, np.dtype[np.int16]]
Floats = np.ndarray[Any, np.dtype[np.float32]]

STACK = 10
RATE = 16_000
WINDOW_SAMPLES = 30 * RATE


def hearing_files(folder: Path, *, seed: int = 4) -> tuple[Path, Path]:
    """A text GGUF, and the mmproj of its encoders of pictures and sounds."""
    checkpoint = open_checkpoint(write_checkpoint(folder / "checkpoint"))
    ears = open_checkpoint(write_whisper(folder / "whisper", stack=STACK, seed=seed))
    how = Conversion("f32", "f32", Quantiser(LlamaLibrary()), 1, silent)
    mmproj = convert_encoders(checkpoint, folder, how, Speech(ears, ears))
    assert mmproj is not None
    return convert_text(checkpoint, folder, how), mmproj


def encoder_of(
    files: Sequence[Path], modality: Modality, arch: str, version: str = "1", mark: Mark | None = None
) -> LocatedModule:
    named = tuple(FileSpec(name=path.name, size_bytes=path.stat().st_size, sha256="0" * 64) for path in files)
    spec = ModuleSpec(
        kind="decoder" if modality == "text" else "encoder",
        format="gguf" if len(files) == 1 else "safetensors",
        arch=arch,
        version=version,
        licence="MIT",
        files=named,
        limits="It is tiny.",
        mark=mark,
    )
    return LocatedModule(spec, tuple(files))


def write_folder(folder: Path, config: dict[str, Any], tensors: dict[str, Floats], *, bf16: bool = False) -> list[Path]:
    """A checkpoint's config.json and model.safetensors."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    write_safetensors(folder / "model.safetensors", tensors, bf16=bf16)
    return [folder / "config.json", folder / "model.safetensors"]


def hum(num_samples: int, seed: int = 0) -> Samples:
    """A rising tone with some noise, in 16 bits as a file has them."""
    time = np.arange(num_samples) / RATE
    noise = np.random.default_rng(seed).standard_normal(num_samples)
    clean = 0.3 * np.sin(2 * np.pi * (300 + 20 * time + 40 * seed) * time) + 0.02 * noise
    return np.round(clean.clip(-1, 1) * 32767).astype(np.int16)


def as_floats(samples: Samples) -> Floats:
    return samples.astype(np.float32) / np.float32(32768)


def wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()
