"""Decoded media, each with the digest of what was decoded (not of the file's bytes)."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import Digest


@dataclass(frozen=True, eq=False)
class Image:
    """An upright picture. pixels: (height, width, 3) uint8, RGB."""

    pixels: NDArray[np.uint8]

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @cached_property
    def digest(self) -> Digest:
        shape = f"image {self.height}x{self.width}:".encode()
        return Digest(hashlib.sha256(shape + self.pixels.tobytes()).hexdigest())


@dataclass(frozen=True, eq=False)
class Waveform:
    """A mono sound. samples: (num_samples,) float32 in -1..1; sample_rate in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate

    @cached_property
    def digest(self) -> Digest:
        rate = f"sound {self.sample_rate}:".encode()
        return Digest(hashlib.sha256(rate + self.samples.tobytes()).hexdigest())
