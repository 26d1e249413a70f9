"""Frames of sounds against transformers' Whisper and GLM-ASR encoders, and against themselves from an mmproj file."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_glm4v import relative_error
from tiny_speech import GLM_ASR, WHISPER, glm_asr, tensors_of, whisper
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from autoglm_phone.core.errors import BundleError, GivenUp
from autoglm_phone.models.speech.config import from_gguf
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.models.speech.log_mel import CHUNK_SAMPLES, log_mel
from autoglm_phone.weights.encoder_files import open_encoder

Floats = np.ndarray[Any, np.dtype[np.float32]]
REFERENCES: dict[str, tuple[dict[str, Any], Callable[[], Any], Callable[[Any], Any]]] = {
    "whisper": (WHISPER, whisper, lambda model: model.encoder),
    "glm-asr": (GLM_ASR, glm_asr, lambda model: model.model.audio_tower),
}


def noise(num_samples: int) -> Floats:
    return np.random.default_rng(num_samples).normal(0, 0.1, num_samples).astype(np.float32)


@pytest.mark.parametrize("kind", REFERENCES)
def test_frames_are_those_of_the_reference(kind: str) -> None:
    fields, model, part = REFERENCES[kind]
    encoder = SpeechEncoder.of_checkpoint(fields, tensors_of(model()))
    mel = log_mel(noise(50_000), encoder.config.num_mels)
    with torch.inference_mode():
        theirs = part(model())(torch.from_numpy(mel[None])).last_hidden_state[0].numpy()
        half = part(deepcopy(model()).to(torch.bfloat16))(torch.from_numpy(mel[None]).bfloat16())
    assert relative_error(encoder.encode_mel(mel), theirs) < 1e-5

    in_half = SpeechEncoder.of_checkpoint(fields, tensors_of(model()), dtype=torch.bfloat16).encode_mel(mel)
    their_half = half.last_hidden_state[0].float().numpy()
    assert np.linalg.norm(in_half - theirs) < 1.2 * np.linalg.norm(their_half - theirs)


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    return SpeechEncoder.of_checkpoint(WHISPER, tensors_of(whisper()))


@settings(max_examples=5)
@given(num_samples=st.integers(0, 2 * CHUNK_SAMPLES + 400))
def test_the_number_of_frames_is_known_before(encoder: SpeechEncoder, num_samples: int) -> None:
    frames = encoder.encode(noise(num_samples))
    assert frames.shape == (encoder.num_frames(num_samples), encoder.config.d_model)


def test_a_long_sound_is_heard_chunk_by_chunk(encoder: SpeechEncoder) -> None:
    long = noise(CHUNK_SAMPLES + 16_000)
    frames = encoder.encode(long)
    assert np.array_equal(frames[:1500], encoder.encode(long[:CHUNK_SAMPLES]))
    assert np.array_equal(frames[1500:], encoder.encode(long[CHUNK_SAMPLES:]))
    assert len(frames) == 1550


def mmproj(path: Path, kind: str = "ultravox") -> Path:
    """As llama.cpp's converter writes Whisper's encoder; the names come from the `gguf` package's own table."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, WHISPER["encoder_layers"])
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("clip.audio.projector_type", kind)
    writer.add_audio_num_mel_bins(WHISPER["num_mel_bins"])
    writer.add_audio_embedding_length(WHISPER["d_model"])
    writer.add_audio_feed_forward_length(WHISPER["encoder_ffn_dim"])
    writer.add_audio_block_count(WHISPER["encoder_layers"])
    writer.add_audio_head_count(WHISPER["encoder_attention_heads"])
    for name, tensor in tensors_of(whisper()).items():
        if not name.startswith("encoder."):
            continue
        known = names.get_name(name.replace("encoder.", "audio_tower.", 1), (".weight", ".bias"))
        assert known is not None, name
        writer.add_tensor(known, tensor[:, None] if "conv" in name and name.endswith("bias") else tensor)
    writer.add_tensor("mm.a.mlp.1.weight", np.ones((4, 4), np.float32))
    writer.add_tensor("v.post_ln.weight", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_an_mmproj_file_gives_the_same(encoder: SpeechEncoder, tmp_path: Path) -> None:
    read = SpeechEncoder.of_files(open_encoder([mmproj(tmp_path / "mmproj.gguf")]))
    assert read.config == encoder.config
    assert np.array_equal(read.encode(noise(9000)), encoder.encode(noise(9000)))


def test_the_other_variant_of_glm_asr_is_refused() -> None:
    with pytest.raises(BundleError, match="'glma'; only 'ultravox'"):
        from_gguf({"clip.audio.projector_type": "glma"}, lambda name: (1500, 1))


@pytest.mark.parametrize("name", ["layers.1.fc1.bias", "embed_positions.weight", "layers.0.self_attn.k_proj.weight"])
def test_what_is_missing_is_named(name: str) -> None:
    less = tensors_of(whisper())
    del less["encoder." + name]
    with pytest.raises(BundleError, match=f"lack encoder.{name}"):
        SpeechEncoder.of_checkpoint(WHISPER, less)


@pytest.mark.parametrize(
    "settings",
    [
        WHISPER | {"model_type": "other"},
        WHISPER | {"encoder_layers": 10**9},
        WHISPER | {"encoder_attention_heads": 5},
        WHISPER | {"activation_function": "relu"},
        GLM_ASR | {"audio_config": GLM_ASR["audio_config"] | {"num_key_value_heads": 2}},
        GLM_ASR | {"audio_config": None},
    ],
)
def test_a_hostile_configuration_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"config\.json|speech encoder"):
        SpeechEncoder.of_checkpoint(settings, {})


def test_what_a_checkpoint_raises_ends_the_encoding_before_its_next_layer(encoder: SpeechEncoder) -> None:
    passed: list[int] = []

    def checkpoint() -> None:
        if len(passed) == 1:
            raise GivenUp("nobody waits")
        passed.append(len(passed))

    with FlopCounterMode(display=False) as whole:
        encoder.encode_chunk(noise(9000))
    with FlopCounterMode(display=False) as part, pytest.raises(GivenUp):
        encoder.encode_chunk(noise(9000), checkpoint)
    assert 0 < part.get_total_flops() < whole.get_total_flops()


@pytest.mark.parametrize("kind", REFERENCES)
def test_operations_are_those_that_are_computed(kind: str) -> None:
    fields, model, _ = REFERENCES[kind]
    encoder = SpeechEncoder.of_checkpoint(fields, tensors_of(model()))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        encoder.encode_chunk(noise(9000))
    assert encoder.num_operations == counter.get_total_flops()
