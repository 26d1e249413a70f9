"""Embeddings of sounds against transformers' GLM-ASR, and ultravox's projector against its formula in numpy."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from tiny_glm4v import relative_error
from tiny_speech import GLM_ASR, glm_asr, tensors_of
from transformers import WhisperFeatureExtractor

from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.projector.projector import Projector
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.models.speech.log_mel import CHUNK_SAMPLES
from autoglm_phone.weights.encoder_files import open_encoder

Floats = np.ndarray[Any, np.dtype[np.float32]]


def random(*shape: int) -> Floats:
    return np.random.default_rng(shape[0]).normal(0, 0.3, shape).astype(np.float32)


@pytest.mark.parametrize("num_samples", [1, 7_000, 33_333, CHUNK_SAMPLES, CHUNK_SAMPLES + 60_000])
def test_embeddings_of_sounds_are_those_of_the_reference(num_samples: int) -> None:
    """Theirs are made of the very frames that ours are: those of transformers' extractor differ by rounding."""
    sound = np.random.default_rng(0).normal(0, 0.1, num_samples).astype(np.float32)
    encoder = SpeechEncoder.of_checkpoint(GLM_ASR, tensors_of(glm_asr()))
    projector = Projector.of_checkpoint(GLM_ASR, tensors_of(glm_asr()))
    ours = projector.project(encoder.encode(sound))
    assert len(ours) == projector.num_tokens(encoder.num_frames(num_samples))

    chunks = [sound[start : start + CHUNK_SAMPLES] for start in range(0, num_samples, CHUNK_SAMPLES)]
    extractor = WhisperFeatureExtractor(feature_size=128)
    taken = extractor(chunks, sampling_rate=16000, return_attention_mask=True, return_tensors="pt")
    padded = np.stack([np.pad(chunk, (0, CHUNK_SAMPLES - len(chunk))) for chunk in chunks])
    exact = torch.from_numpy(extractor._np_extract_fbank_features(padded, "cpu").astype(np.float32))
    with torch.inference_mode():
        found = glm_asr().get_audio_features(exact, taken["attention_mask"])
    theirs = found.pooler_output.numpy()
    assert ours.shape == theirs.shape
    if len(theirs):
        assert relative_error(ours, theirs) < 1e-5


WEIGHTS = {
    "mm.a.norm_pre.weight": 1 + random(24),
    "mm.a.mlp.1.weight": random(20, 24),
    "mm.a.norm_mid.weight": 1 + random(10),
    "mm.a.mlp.2.weight": random(7, 10),
}


def mmproj(path: Path, stack: int) -> Path:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("clip.audio.projector_type", "ultravox")
    writer.add_audio_stack_factor(stack)
    for name, tensor in (WEIGHTS | {"a.post_ln.weight": random(4)}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def normed(x: Floats, weight: Floats) -> Floats:
    scaled: Floats = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * weight
    return scaled


def test_ultravox_is_its_formula_and_fills_the_last_stack(tmp_path: Path) -> None:
    projector = Projector.of_files(open_encoder([mmproj(tmp_path / "mmproj.gguf", 3)]), d_in=8)
    frames = random(8, 8)  # three frames each: the last stack lacks one
    stacked = np.concatenate((frames, np.zeros((1, 8), np.float32))).reshape(3, 24)
    norm_pre, up, norm_mid, down = WEIGHTS.values()
    through, gate = np.split(normed(stacked, norm_pre) @ up.T, 2, axis=1)
    theirs = normed(gate / (1 + np.exp(-gate)) * through, norm_mid) @ down.T
    assert projector.num_tokens(8) == 3
    assert relative_error(projector.project(frames), theirs) < 1e-5


@pytest.mark.parametrize("stack", [5, 0])
def test_a_stack_that_does_not_fit_is_refused(tmp_path: Path, stack: int) -> None:
    with pytest.raises(BundleError, match="stack_factor"):
        Projector.of_files(open_encoder([mmproj(tmp_path / "mmproj.gguf", stack)]), d_in=8)


@pytest.mark.parametrize(
    "settings",
    [
        GLM_ASR | {"model_type": "whisper"},
        GLM_ASR | {"projector_hidden_act": "relu"},
        GLM_ASR | {"audio_config": {"hidden_size": 48, "intermediate_size": 100}},
    ],
)
def test_a_configuration_of_another_kind_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"config\.json"):
        Projector.of_checkpoint(settings, {})
