"""The speech encoder: samples in, frames of the encoder's width out; a projector makes embeddings of them. Needs the
extra `torch`.

Blocking, and one sound at a time: the media process calls it off its event loop.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from autoglm_phone.core.module import Checkpoint, go_on
from autoglm_phone.models.network import FormOf, as_computed, load_network
from autoglm_phone.models.speech.audio_transformer import AudioTransformer
from autoglm_phone.models.speech.config import SpeechConfig, from_checkpoint, from_files
from autoglm_phone.models.speech.log_mel import CHUNK_SAMPLES, log_mel, num_frames
from autoglm_phone.models.speech.weight_map import checkpoint_map, map_of_files
from autoglm_phone.ops.checkpoints import before_each
from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import Floats, NameMap


class SpeechEncoder:
    """Computes in `dtype` on `device` and holds the weights in it, or packed; float32 numbers come out.

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
        form_of: FormOf = as_computed,
    ) -> None:
        """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the config."""
        self.config = config
        self._dtype = dtype
        self._device = device
        self._network = load_network(
            lambda: AudioTransformer(config), tensors, names, dtype=dtype, device=device, form_of=form_of
        )

    @classmethod
    def of_files(
        cls, files: EncoderFiles, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "SpeechEncoder":
        """Raises BundleError if they hold no encoder that is known, or not all of it."""
        config = from_files(files)
        names, form_of = map_of_files(files, config), files.tensors.form
        return cls(config, files.tensors, names, dtype=dtype, device=device, form_of=form_of)

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

    @property
    def num_operations(self) -> float:
        """Multiplications and additions of the matrix products for a chunk, however much of it is silence."""
        config, frames = self.config, self.config.max_positions
        layer = config.d_model * (4 * config.d_model + 2 * config.d_ff) + 2 * frames * config.d_model
        convolutions = 3 * config.d_model * (2 * config.num_mels + config.d_model)
        return 2.0 * frames * (config.num_layers * layer + convolutions)

    def encode(self, samples: Floats) -> Floats:
        """samples (num_samples,) at 16 kHz -> (frames, C), fifty a second."""
        nothing = np.empty((0, self.config.d_model), np.float32)
        return np.concatenate((nothing, *map(self.encode_chunk, chunks(samples))))

    def encode_chunk(self, samples: Floats, checkpoint: Checkpoint = go_on) -> Floats:
        """The same of at most 30 s. checkpoint: called before each layer."""
        return self.encode_mel(log_mel(samples, self.config.num_mels), checkpoint)[: self.num_frames(len(samples))]

    def encode_mel(self, mel: Floats, checkpoint: Checkpoint = go_on) -> Floats:
        """mel (num_mels, frames) of one chunk, as log_mel.py makes it -> (frames / 2, C)."""
        with torch.inference_mode(), before_each(self._network.layers, checkpoint):
            frames = self._network(torch.from_numpy(mel).to(self._device, self._dtype))
        out: Floats = frames.float().cpu().numpy()  # waits for the device: the numbers leave it here
        return out


def chunks(samples: Floats) -> Iterator[Floats]:
    """Of 30 s each, the last one of what is left."""
    return (samples[start : start + CHUNK_SAMPLES] for start in range(0, len(samples), CHUNK_SAMPLES))


def _halved(frames: int) -> int:
    """Behind the second convolution, which takes every other frame."""
    return (frames + 1) // 2
