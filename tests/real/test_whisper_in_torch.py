"""Our speech encoder with whisper-base's own weights and a real recording, against CTranslate2's."""

from pathlib import Path

import ctranslate2  # type: ignore[import-untyped]  # ships no types
import numpy as np
import pytest
from benchmarks.peer_mmproj import STACK, Writer, read_ct2, write_hyperparameters, write_whisper
from tiny_glm4v import relative_error

from autoglm_phone.media.audio import decode_sound
from autoglm_phone.media.limits import MediaLimits
from autoglm_phone.models.projector.projector import Projector
from autoglm_phone.models.speech.encoder import SpeechEncoder
from autoglm_phone.models.speech.log_mel import log_mel
from autoglm_phone.weights.encoder_files import open_encoder

pytestmark = pytest.mark.real
D_MODEL = 64


def mmproj(whisper_folder: Path, path: Path) -> Path:
    with (whisper_folder / "model.bin").open("rb") as file:
        weights = dict(read_ct2(file))
    writer = Writer(path)
    write_hyperparameters(writer.gguf, D_MODEL)
    write_whisper(writer, weights, D_MODEL)
    writer.close()
    return path


def test_frames_of_a_recording_are_those_of_ctranslate2(whisper_folder: Path, jfk: bytes, tmp_path: Path) -> None:
    file = open_encoder([mmproj(whisper_folder, tmp_path / "mmproj.gguf")])
    encoder = SpeechEncoder.of_files(file)
    sound = decode_sound(jfk, MediaLimits(), param="audio")
    mel = log_mel(sound.samples, encoder.config.num_mels)
    theirs = ctranslate2.models.Whisper(str(whisper_folder), compute_type="float32", intra_threads=2)
    wanted = np.array(theirs.encode(ctranslate2.StorageView.from_array(mel[None])))[0]
    frames = encoder.encode(sound.samples)
    assert len(frames) == encoder.num_frames(len(sound.samples)) == 550  # 11 s
    assert relative_error(frames, wanted[: len(frames)]) < 1e-4

    projector = Projector.of_files(file, d_in=encoder.config.d_model)
    assert projector.project(frames).shape == (projector.num_tokens(550), D_MODEL) == (-(-550 // STACK), D_MODEL)
