"""The keys of the GGUF files that llama.cpp's archs `glm4` and `clip` read.

Source: llama.cpp b11549, conversion/base.py and conversion/glm.py (text), tools/mtmd/clip.cpp (encoders).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autoglm_phone.convert.gguf_writer import Entry
from autoglm_phone.convert.mix import FILE_TYPES, EncoderMix, TextMix
from autoglm_phone.convert.vocabulary import Vocabulary
from autoglm_phone.models.speech.config import SpeechConfig
from autoglm_phone.models.text.config import DecoderConfig
from autoglm_phone.models.vision.config import VisionConfig

QUANTISATION_VERSION = 2  # ggml.h, GGML_QNT_VERSION
NORM_EPSILON = 1e-5  # Whisper's, which its config does not say

# What the special tokens are to llama.cpp; it stops at the first three. No prompt is given a first token unasked.
_ROLES = {
    "eos": "<|endoftext|>",
    "eot": "<|user|>",
    "eom": "<|observation|>",
    "unknown": "<|endoftext|>",
    "padding": "<|endoftext|>",
    "bos": "<|endoftext|>",
}


@dataclass(frozen=True)
class Origin:
    """What a file is made from. source: a digest or a sentence that tells it from others of the same shapes."""

    name: str
    licence: str
    source: str


def text_metadata(
    config: DecoderConfig, mix: TextMix, origin: Origin, vocabulary: Vocabulary, template: str
) -> dict[str, Entry]:
    entries = _general("glm4", "model", mix, origin) | {
        "glm4.block_count": config.num_layers,
        "glm4.context_length": config.max_positions,
        "glm4.embedding_length": config.d_model,
        "glm4.feed_forward_length": config.d_ff,
        "glm4.attention.head_count": config.num_heads,
        "glm4.attention.head_count_kv": config.num_kv_heads,
        "glm4.attention.key_length": config.head_size,
        "glm4.attention.value_length": config.head_size,
        "glm4.attention.layer_norm_rms_epsilon": config.norm_eps,
        "glm4.rope.freq_base": config.rope_theta,
        "glm4.rope.dimension_count": config.rotary_size,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "glm4",
        "tokenizer.ggml.tokens": vocabulary.tokens,
        "tokenizer.ggml.token_type": vocabulary.kinds,
        "tokenizer.ggml.merges": vocabulary.merges,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }
    if config.mrope_sections is not None:
        entries["glm4.rope.dimension_sections"] = [*config.mrope_sections, 0]
    for role, token in _ROLES.items():
        index = vocabulary.id_of(token)
        if index is not None:
            entries[f"tokenizer.ggml.{role}_token_id"] = index
    return entries


def mmproj_metadata(
    vision: VisionConfig | None,
    speech: tuple[SpeechConfig, int] | None,
    text_width: int,
    mix: EncoderMix,
    origin: Origin,
) -> dict[str, Entry]:
    """speech: with the number of frames that are stacked. Of two encoders each names its own projector."""
    entries = _general("clip", "mmproj", mix, origin)
    if vision is not None:
        entries |= _vision(vision, text_width)
    if speech is not None:
        entries |= _speech(*speech, text_width)
    if vision is None or speech is None:
        entries["clip.projector_type"] = "glm4v" if speech is None else "ultravox"
    else:
        entries |= {"clip.vision.projector_type": "glm4v", "clip.audio.projector_type": "ultravox"}
    return entries


def _general(arch: str, kind: str, mix: str, origin: Origin) -> dict[str, Entry]:
    return {
        "general.architecture": arch,
        "general.type": kind,
        "general.name": origin.name,
        "general.license": origin.licence,
        "general.file_type": FILE_TYPES[mix],
        "general.quantization_version": QUANTISATION_VERSION,
        "autoglm.source": origin.source,
    }


def _vision(config: VisionConfig, text_width: int) -> dict[str, Entry]:
    return {
        "clip.has_vision_encoder": True,
        "clip.use_silu": True,
        "clip.vision.projection_dim": text_width,
        "clip.vision.image_size": config.position_side * config.patch_side,
        "clip.vision.patch_size": config.patch_side,
        "clip.vision.embedding_length": config.d_model,
        "clip.vision.feed_forward_length": config.d_merger_ff,
        "clip.vision.block_count": config.num_layers,
        "clip.vision.attention.head_count": config.num_heads,
        "clip.vision.attention.layer_norm_epsilon": config.norm_eps,
        "clip.vision.spatial_merge_size": config.merge,
        "clip.vision.image_mean": _floats(config.mean),
        "clip.vision.image_std": _floats(config.std),
    }


def _speech(config: SpeechConfig, stack: int, text_width: int) -> dict[str, Entry]:
    return {
        "clip.has_audio_encoder": True,
        "clip.audio.projection_dim": text_width,
        "clip.audio.embedding_length": config.d_model,
        "clip.audio.feed_forward_length": config.d_ff,
        "clip.audio.block_count": config.num_layers,
        "clip.audio.attention.head_count": config.num_heads,
        "clip.audio.attention.layer_norm_epsilon": NORM_EPSILON,
        "clip.audio.num_mel_bins": config.num_mels,
        "clip.audio.projector.stack_factor": stack,
    }


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]
