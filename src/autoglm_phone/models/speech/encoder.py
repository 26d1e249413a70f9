"""The speech encoder: samples in, frames of the encoder's width out; a projector makes embeddings of them. Needs the
extra `torch`.

Blocking, and one sound at a time: the media process calls it off its event loop.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from autoglm_phone.models.speech.audio_transformer import AudioTransformer
from autoglm_phone.models.speech.config import SpeechConfig, from_checkpoint, from_gguf
from autoglm_phone.models.speech.log_mel import CHUNK_SAMPLES, log_mel, num_frames
from autoglm_phone.models.speech.weight_map import checkpoint_map, gguf_map
from autoglm_phone.weights.gguf_tensors import GgufTensors
from autoglm_phone.weights.load import load_into
from autoglm_phone.weights.name_map import Floats, NameMap
from autoglm_phone.weights.tensor_map import GgufFloats


class SpeechEncoder:
    """Holds the weights in `dtype` on `device`; float32 numbers come out whatever these are.

    A sound is heard in chunks of 30 s, the last of which is filled with silence, as the models were trained; of that
    chunk only the frames within the sound are given.
    """

    def __init__(
        self,
        config: SpeechConfig,
        tensors: Mapping[str, Floats],
        names: NameMap,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the config."""
        self.config = config
        self._dtype = dtype
        self._device = device
        with torch.device("meta"):  # no memory yet
            self._network = AudioTransformer(config).eval()
        load_into(self._network, tensors, names, dtype=dtype, device=device)

    @classmethod
    def of_gguf(
        cls, file: GgufTensors, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "SpeechEncoder":
        """file: an mmproj. Raises BundleError if it holds no Whisper encoder, or not all of it."""
        tensors = GgufFloats(file)
        config = from_gguf(file.metadata, tensors.shape("a.position_embd.weight")[0])
        return cls(config, tensors, gguf_map(config.num_layers), dtype=dtype, device=device)

    @classmethod
    def of_checkpoint(
        cls,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Floats],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> "SpeechEncoder":
        """settings: the object in config.json. Raises BundleError if the encoder is not there, or not all of it."""
        config = from_checkpoint(settings)
        return cls(config, tensors, checkpoint_map(config, tensors), dtype=dtype, device=device)

    def num_frames(self, num_samples: int) -> int:
        """Exactly as many as `encode` gives for a sound of so many samples at 16 kHz."""
        whole, rest = divmod(num_samples, CHUNK_SAMPLES)
        return whole * _halved(num_frames(CHUNK_SAMPLES)) + _halved(num_frames(rest))

    def encode(self, samples: Floats) -> Floats:
        """samples (num_samples,) at 16 kHz -> (frames, C), fifty a second."""
        found = [np.empty((0, self.config.d_model), np.float32)]
        for start in range(0, len(samples), CHUNK_SAMPLES):
            chunk = samples[start : start + CHUNK_SAMPLES]
            frames = self.encode_mel(log_mel(chunk, self.config.num_mels))
            found.append(frames[: self.num_frames(len(chunk))])
        return np.concatenate(found)

    def encode_mel(self, mel: Floats) -> Floats:
        """mel (num_mels, frames) of one chunk, as log_mel.py makes it -> (frames / 2, C)."""
        with torch.inference_mode():
            frames = self._network(torch.from_numpy(mel).to(self._device, self._dtype))
        out: Floats = frames.float().cpu().numpy()  # waits for the device: the numbers leave it here
        return out


def _halved(frames: int) -> int:
    """Behind the second convolution, which takes every other frame."""
    return (frames + 1) // 2
