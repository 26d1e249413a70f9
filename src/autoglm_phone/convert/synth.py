"""Models with random weights of true shapes: to measure and to try serving where the real weights are not at hand.

A matrix is not drawn number by number (the 9B has 9.4e9): 8,192 blocks of each format are drawn from a normal
distribution and quantised once, and every block of every matrix is one of these, taken at random. The 9B's rows are 16
blocks and more, so that no two are alike; logits are finite and spread as those of drawn weights would be. What is said
is nonsense.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from autoglm_phone.convert.encode import Quantise
from autoglm_phone.convert.gguf_writer import Filled, write_gguf
from autoglm_phone.convert.metadata import Origin, mmproj_metadata, text_metadata
from autoglm_phone.convert.mix import EncoderMix, TextMix, planned_encoder, planned_text
from autoglm_phone.convert.planned import Planned
from autoglm_phone.convert.text_map import text_rules
from autoglm_phone.convert.tokenizer_files import find_template, find_tokenizer
from autoglm_phone.convert.vision_map import vision_rules
from autoglm_phone.convert.vocabulary import made_up_vocabulary, read_vocabulary
from autoglm_phone.models.text.config import DecoderConfig
from autoglm_phone.models.vision.config import VisionConfig
from autoglm_phone.text.known_templates import GLM4
from autoglm_phone.weights.dequantize import Bytes
from autoglm_phone.weights.gguf_types import TensorType
from autoglm_phone.weights.progress import Progress

Preset = Literal["9b", "tiny"]

POOL_BLOCKS = 8192
SPREAD = 0.02  # the standard deviation that the networks are initialised with
CHUNK_BYTES = 8 << 20


@dataclass(frozen=True)
class Shapes:
    text: DecoderConfig
    vision: VisionConfig


SHAPES: dict[Preset, Shapes] = {
    "9b": Shapes(DecoderConfig(), VisionConfig()),  # the true model's are their defaults
    "tiny": Shapes(
        DecoderConfig(
            d_model=256,
            num_layers=2,
            num_heads=4,
            head_size=64,
            d_ff=512,
            rotary_size=32,
            mrope_sections=(4, 6, 6),
        ),
        VisionConfig(num_layers=2, d_model=128, num_heads=4, d_ff=256, d_out=256, d_merger_ff=512),
    ),
}


@dataclass(frozen=True)
class Synthesis:
    """tokenizer: a file or folder; None makes a vocabulary up (vocabulary.py)."""

    text_mix: TextMix
    encoder_mix: EncoderMix
    quantise: Quantise
    progress: Progress
    seed: int = 0
    tokenizer: Path | None = None


def synthesise(preset: Preset, out: Path, how: Synthesis) -> list[Path]:
    """Writes `text-<mix>.gguf` and `mmproj-<mix>.gguf` into the folder `out`. Raises BundleError."""
    shapes = SHAPES[preset]
    origin = Origin(f"AutoGLM-Phone-{preset} with random weights", "unknown", f"random numbers of seed {how.seed}")
    if how.tokenizer is None:
        vocabulary, template = made_up_vocabulary(), GLM4
    else:
        vocabulary = read_vocabulary(find_tokenizer(how.tokenizer), shapes.text.vocab_size)
        template = find_template(how.tokenizer) if how.tokenizer.is_dir() else GLM4
    text = planned_text(text_rules(shapes.text), how.text_mix, shapes.text.num_layers)
    encoder = planned_encoder(vision_rules(shapes.vision), how.encoder_mix)
    files = [out / f"mmproj-{how.encoder_mix}.gguf", out / f"text-{how.text_mix}.gguf"]
    metadata = [
        mmproj_metadata(shapes.vision, None, shapes.text.d_model, how.encoder_mix, origin),
        text_metadata(shapes.text, how.text_mix, origin, vocabulary, template),
    ]
    weights = _RandomWeights(how.quantise, how.seed)
    for path, entries, planned in zip(files, metadata, (encoder, text), strict=True):
        write_gguf(path, entries, [Filled(one, partial(weights.chunks, one)) for one in planned], how.progress)
    return files[::-1]


class _RandomWeights:
    """A tensor's content follows from the seed and its name, so that a run that was cut off can be gone on with."""

    def __init__(self, quantise: Quantise, seed: int) -> None:
        self._quantise = quantise
        self._seed = seed
        self._pool = lru_cache(None)(self._drawn_pool)

    def chunks(self, planned: Planned) -> Iterator[Bytes]:
        random = np.random.default_rng([self._seed, zlib.crc32(planned.name.encode())])
        if planned.type.name == "F32":
            yield self._singles(planned, random)
            return
        pool = self._pool(planned.type)  # (blocks, bytes of a block)
        num_blocks = planned.size_bytes // planned.type.block_bytes
        step = CHUNK_BYTES // planned.type.block_bytes
        for start in range(0, num_blocks, step):
            yield pool[random.integers(0, len(pool), min(step, num_blocks - start))]

    def _singles(self, planned: Planned, random: np.random.Generator) -> Bytes:
        """Norms leave what they norm as it is; the rest is drawn: it is small."""
        if len(planned.shape) == 1 and planned.name.endswith(".weight"):
            numbers = np.ones(planned.shape, np.float32)
        else:
            numbers = random.standard_normal(planned.shape, np.float32) * np.float32(SPREAD)
        return numbers.reshape(-1).view(np.uint8)

    def _drawn_pool(self, type_: TensorType) -> Bytes:
        # for formats without blocks a "block" of one number: as many of them as the others have numbers
        num_blocks = POOL_BLOCKS if type_.block_len > 1 else POOL_BLOCKS * 32
        random = np.random.default_rng([self._seed, type_.block_len, type_.block_bytes])
        rows = random.standard_normal((num_blocks, type_.block_len), np.float32) * np.float32(SPREAD)
        return self._quantise(rows, type_)
