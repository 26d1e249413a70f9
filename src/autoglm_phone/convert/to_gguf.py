"""A checkpoint to what llama.cpp serves: a GGUF of the text, and one (mmproj) of encoders of pictures and sounds."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoglm_phone.convert.encode import Encoder, Quantise
from autoglm_phone.convert.fingerprint import fingerprint
from autoglm_phone.convert.gguf_writer import Filled, write_gguf
from autoglm_phone.convert.metadata import Origin, mmproj_metadata, text_metadata
from autoglm_phone.convert.mix import EncoderMix, TextMix, planned_encoder, planned_text
from autoglm_phone.convert.planned import Planned, Rule, check_all_used, renamed, rows_of, stored
from autoglm_phone.convert.speech_map import ENCODER, PROJECTOR, encoder_rules, projector_rules, stack_of
from autoglm_phone.convert.text_map import PREFIX as TEXT
from autoglm_phone.convert.text_map import text_rules
from autoglm_phone.convert.tokenizer_files import (
    find_licence,
    find_template,
    find_tokenizer,
)
from autoglm_phone.convert.vision_map import PREFIX as VISION
from autoglm_phone.convert.vision_map import vision_rules
from autoglm_phone.convert.vocabulary import read_vocabulary
from autoglm_phone.core.errors import BundleError
from autoglm_phone.models.speech import config as speech_config
from autoglm_phone.models.text import config as decoder_config
from autoglm_phone.models.vision import config as vision_config
from autoglm_phone.weights.checkpoint import Checkpoint
from autoglm_phone.weights.dequantize import Bytes
from autoglm_phone.weights.encoder_files import PREPROCESSOR_FILE
from autoglm_phone.weights.progress import Progress
from autoglm_phone.weights.weight_only import CONFIG_KEY


@dataclass(frozen=True)
class Speech:
    """A Whisper checkpoint, and the projector that was trained for this decoder; they may be one folder."""

    encoder: Checkpoint
    projector: Checkpoint


@dataclass(frozen=True)
class Conversion:
    """tokenizer: a file or folder that takes the place of the checkpoint's own, or None."""

    text_mix: TextMix
    encoder_mix: EncoderMix
    quantise: Quantise
    threads: int
    progress: Progress
    tokenizer: Path | None = None


def convert_text(checkpoint: Checkpoint, out: Path, how: Conversion) -> Path:
    """Writes `text-<mix>.gguf` into the folder `out`. Raises BundleError that names the field or tensor at fault."""
    _check_unpacked(checkpoint)
    config = decoder_config.from_checkpoint(checkpoint.config)
    rules = _as_named_in(checkpoint, text_rules(config))
    if "lm_head.weight" not in checkpoint.tensors and checkpoint.config.get("tie_word_embeddings"):
        rules = [rule for rule in rules if rule.target != "output.weight"]  # llama.cpp takes the embedding then
    check_all_used(checkpoint, rules, under=(*_text_prefixes(checkpoint), "lm_head."))
    place = how.tokenizer or checkpoint.folder
    vocabulary = read_vocabulary(find_tokenizer(place), config.vocab_size)
    template = find_template(place if place.is_dir() else checkpoint.folder)
    metadata = text_metadata(config, how.text_mix, _origin(checkpoint), vocabulary, template)
    target = out / f"text-{how.text_mix}.gguf"
    planned = planned_text(rules, how.text_mix, config.num_layers)
    with ThreadPoolExecutor(how.threads) as executor:
        encoder = Encoder(how.quantise, executor, how.threads)
        write_gguf(target, metadata, _filled(encoder, checkpoint, planned), how.progress)
    return target


def convert_encoders(checkpoint: Checkpoint, out: Path, how: Conversion, speech: Speech | None = None) -> Path | None:
    """Writes `mmproj-<mix>.gguf` with those encoders that there are; None if there are none."""
    _check_unpacked(checkpoint)
    text_width = decoder_config.from_checkpoint(checkpoint.config).d_model
    vision: vision_config.VisionConfig | None = None
    planned: list[tuple[Checkpoint, list[Planned]]] = []
    if "vision_config" in checkpoint.config:
        vision = vision_config.from_checkpoint(checkpoint.config)
        if (preprocessor := checkpoint.folder / PREPROCESSOR_FILE).is_file():
            vision = vision_config.with_preprocessor(vision, preprocessor)
        if vision.d_out != text_width:
            raise BundleError(
                f"config.json, vision_config: out_hidden_size is {vision.d_out}, the decoder's width {text_width}"
            )
        rules = _as_named_in(checkpoint, vision_rules(vision))
        check_all_used(checkpoint, rules, under=(VISION, "visual."))
        planned.append((checkpoint, planned_encoder(rules, how.encoder_mix)))
    heard: tuple[speech_config.SpeechConfig, int] | None = None
    if speech is not None:
        whisper = speech_config.from_checkpoint(speech.encoder.config)
        heard = whisper, stack_of(speech.projector, whisper)
        rules = _as_named_in(speech.encoder, encoder_rules(whisper))
        planned.append((speech.encoder, planned_encoder(rules, how.encoder_mix)))
        rules = projector_rules(speech.projector, whisper, text_width)
        check_all_used(speech.projector, rules, under=(PROJECTOR,))
        planned.append((speech.projector, planned_encoder(rules, how.encoder_mix)))
    if not planned:
        return None
    origin = _origin(*(source for source, _ in planned))
    metadata = mmproj_metadata(vision, heard, text_width, how.encoder_mix, origin)
    target = out / f"mmproj-{how.encoder_mix}.gguf"
    with ThreadPoolExecutor(how.threads) as executor:
        encoder = Encoder(how.quantise, executor, how.threads)
        filled = [one for source, some in planned for one in _filled(encoder, source, some)]
        write_gguf(target, metadata, filled, how.progress)
    return target


def _filled(encoder: Encoder, checkpoint: Checkpoint, planned: Sequence[Planned]) -> list[Filled]:
    for one in planned:
        stored(checkpoint, one.rule)  # every name and shape is looked at before the first byte is written
    return [Filled(one, partial(_chunks, encoder, checkpoint, one)) for one in planned]


def _chunks(encoder: Encoder, checkpoint: Checkpoint, planned: Planned) -> Iterator[Bytes]:
    return encoder.chunks(planned, rows_of(checkpoint, planned.rule))


def _check_unpacked(checkpoint: Checkpoint) -> None:
    if CONFIG_KEY in checkpoint.config:
        raise BundleError(
            f"{checkpoint.folder.name} is packed in int8 or int4 for the encoders in PyTorch, which take it as it is; "
            "text is computed by llama.cpp: convert the checkpoint that the folder was made from"
        )


def _text_prefixes(checkpoint: Checkpoint) -> tuple[str, ...]:
    nested = any(name.startswith(TEXT) for name in checkpoint.tensors)
    return (TEXT,) if nested else ("model.layers.", "model.embed_tokens.", "model.norm.")


def _as_named_in(checkpoint: Checkpoint, rules: list[Rule]) -> list[Rule]:
    """Rules with the names that this file has: `model.` in front came and went with releases of transformers."""
    for ours, theirs in ((TEXT, "model."), (VISION, "visual."), (ENCODER, "encoder.")):
        first = next((rule.source for rule in rules if rule.source.startswith(ours)), "")
        if first not in checkpoint.tensors and theirs + first.removeprefix(ours) in checkpoint.tensors:
            return renamed(rules, ours, theirs)
    return rules


def _origin(*checkpoints: Checkpoint) -> Origin:
    first = checkpoints[0]
    files = dict.fromkeys(path for checkpoint in checkpoints for path in checkpoint.files)
    return Origin(first.folder.resolve().name, find_licence(first.folder), fingerprint(files))
