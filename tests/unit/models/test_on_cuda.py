"""The modules on a GPU against themselves on the CPU, where the other tests hold them to their references."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny_glm4v import SETTINGS, relative_error, tensors
from tiny_speech import GLM_ASR, WHISPER, glm_asr, tensors_of, whisper

from autoglm_phone.models.projector.projector import Projector
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.models.text.decoder import decoder_of_checkpoint
from autoglm_phone.models.text.kv_cache import KvCache
from autoglm_phone.models.text.positions import ImageSpan, TextSpan, mrope_positions
from autoglm_phone.models.vision.encoder import VisionEncoder
from autoglm_phone.models.vision.grid import PixelBudget

Floats = np.ndarray[Any, np.dtype[np.float32]]

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that PyTorch can use")

# bfloat16 has eight bits: 0.4 % a rounding, some of them in each of three layers.
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 5e-2}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES, ids=str)


@pytest.fixture(autouse=True)
def whole_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions would be rounded to TF32, whose ten bits make 5e-4 of the speech encoder's parity."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def check(found: dict[str, Floats], dtype: torch.dtype) -> None:
    assert relative_error(found["cuda"], found["cpu"]) < TOLERANCES[dtype]


@DTYPES
def test_pictures(dtype: torch.dtype) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 170, 3), np.uint8)
    encoders = {
        device: VisionEncoder.of_checkpoint(SETTINGS, tensors(), budget=PixelBudget(), dtype=dtype, device=device)
        for device in ("cpu", "cuda")
    }
    check({device: encoder.encode(pixels) for device, encoder in encoders.items()}, dtype)


@DTYPES
def test_text_in_chunks(dtype: torch.dtype) -> None:
    positions = torch.from_numpy(mrope_positions([TextSpan(4), ImageSpan(2, 5), TextSpan(9)]))
    tokens = torch.from_numpy(np.random.default_rng(3).integers(0, 90, positions.shape[1]))
    found = {}
    for device in ("cpu", "cuda"):
        decoder = decoder_of_checkpoint(SETTINGS, tensors(), dtype=dtype, device=device)
        cache = KvCache(decoder.config, len(tokens), dtype=dtype, device=device)
        parts = []
        with torch.inference_mode():
            for part in (slice(0, 9), slice(9, 20), *(slice(at, at + 1) for at in range(20, len(tokens)))):
                embeddings = decoder.embed(tokens[part].to(device))
                hidden = decoder(embeddings, positions[:, part].to(device), cache)
                parts.append(decoder.head(hidden).float().cpu().numpy())
        found[device] = np.concatenate(parts)
    check(found, dtype)


@DTYPES
@pytest.mark.parametrize("kind", ["whisper", "glm-asr"])
def test_sounds(kind: str, dtype: torch.dtype) -> None:
    fields, model = (WHISPER, whisper()) if kind == "whisper" else (GLM_ASR, glm_asr())
    sound = np.random.default_rng(1).normal(0, 0.1, 50_000).astype(np.float32)
    encoders = {
        device: SpeechEncoder.of_checkpoint(fields, tensors_of(model), dtype=dtype, device=device)
        for device in ("cpu", "cuda")
    }
    check({device: encoder.encode(sound) for device, encoder in encoders.items()}, dtype)


@DTYPES
def test_frames_of_sounds(dtype: torch.dtype) -> None:
    frames = np.random.default_rng(2).normal(0, 1, (40, 48)).astype(np.float32)
    projectors = {
        device: Projector.of_checkpoint(GLM_ASR, tensors_of(glm_asr()), dtype=dtype, device=device)
        for device in ("cpu", "cuda")
    }
    check({device: projector.project(frames) for device, projector in projectors.items()}, dtype)
