"""A speech encoder with its projector as a module that is served: from the files of a bundle to a SoundEncoder.

The two know nothing of each other and meet here. What needs PyTorch is imported when one is made, not at the top.
Called by the media process.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoglm_phone.core.errors import InvalidRequest, MediaTooLarge
from autoglm_phone.core.media import Waveform
from autoglm_phone.core.module import Checkpoint, Embeddings, Mark, go_on
from autoglm_phone.models.memory import return_free_memory
from autoglm_phone.models.torch_on_cpu import set_up_torch
from autoglm_phone.weights.encoder_files import open_encoder


class SpeechModule:
    """A SoundEncoder. Not thread-safe. Raises BundleError or MissingDependency if it cannot be loaded.

    A sound is heard in chunks of 30 s, each projected by itself, as the models were trained.

    files        an mmproj, or a config.json with safetensors
    max_tokens   most embeddings of a sound
    threads      CPU threads of one sound
    mark         what it was trained to stand between, if that is not what the decoder's template writes
    """

    def __init__(self, files: Sequence[Path], *, max_tokens: int, threads: int, mark: Mark | None = None) -> None:
        dtype = set_up_torch(threads)
        from autoglm_phone.models.projector.projector import Projector
        from autoglm_phone.models.speech.encoder import SpeechEncoder, chunks

        opened = open_encoder(files)
        self._encoder = SpeechEncoder.of_files(opened, dtype=dtype)
        self._projector = Projector.of_files(opened, d_in=self._encoder.config.d_model, dtype=dtype)
        self._chunks = chunks
        self._max_tokens = max_tokens
        self._mark = mark
        return_free_memory()  # of weights in float32

    def num_tokens(self, sound: Waveform) -> int:
        """Exactly as many as `encode` gives."""
        return sum(
            self._projector.num_tokens(self._encoder.num_frames(len(chunk))) for chunk in self._chunks(sound.samples)
        )

    def check(self, sound: Waveform) -> None:
        """Raises MediaTooLarge or InvalidRequest."""
        num_tokens = self.num_tokens(sound)
        if num_tokens > self._max_tokens:
            raise MediaTooLarge(
                f"the sound of {sound.duration_s:.1f} s takes {num_tokens} tokens, and the window has "
                f"{self._max_tokens}; send it in parts, or start the server with a larger --max-model-len"
            )
        if not num_tokens:
            raise InvalidRequest(f"the sound of {sound.duration_s:.3f} s is too short to be heard; send a longer one")

    def num_operations(self, sound: Waveform) -> float:
        """Of the encoder; the projector's are few."""
        return sum(self._encoder.num_operations for _ in self._chunks(sound.samples))

    def encode(self, sound: Waveform, checkpoint: Checkpoint = go_on) -> Embeddings:
        """sound: at 16 kHz, and one that `check` lets pass."""
        try:
            frames = (self._encoder.encode_chunk(one, checkpoint) for one in self._chunks(sound.samples))
            parts = [self._projector.project(one) for one in frames]
        finally:
            return_free_memory()
        return Embeddings(np.concatenate(parts), mark=self._mark)
