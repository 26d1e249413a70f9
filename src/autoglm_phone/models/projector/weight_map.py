"""Where a projector's tensors are in the checkpoints of GLM-ASR and ultravox, and in an mmproj GGUF file: data."""

import re
from collections.abc import Iterable

from autoglm_phone.models.projector.config import PREFIXES, Kind
from autoglm_phone.weights.encoder_files import EncoderFiles
from autoglm_phone.weights.name_map import NameMap, known_prefix, rule, same_suffixes


def map_of_files(files: EncoderFiles, kind: Kind) -> NameMap:
    return gguf_map() if files.is_gguf else checkpoint_map(kind, files.tensors)


def checkpoint_map(kind: Kind, names: Iterable[str]) -> NameMap:
    """names: those of the checkpoint, which tell its age."""
    prefix = known_prefix(names, PREFIXES)
    if kind == "glm_asr":
        both = ("weight", "bias")
        rules = (*same_suffixes("up", "linear_1", *both), *same_suffixes("down", "linear_2", *both))
    else:
        rules = (
            rule("norm.weight", "ln_pre.weight"),
            rule("up.weight", "linear_1.weight"),
            rule("norm_mid.weight", "ln_mid.weight"),
            rule("down.weight", "linear_2.weight"),
        )
    return NameMap(rules, re.compile(re.escape(prefix))).prefixed(prefix)


def gguf_map() -> NameMap:
    """Ultravox's. Source: llama.cpp b11549, tools/mtmd/clip-impl.h."""
    rules = (
        rule("norm.weight", "mm.a.norm_pre.weight"),
        rule("up.weight", "mm.a.mlp.1.weight"),
        rule("norm_mid.weight", "mm.a.norm_mid.weight"),
        rule("down.weight", "mm.a.mlp.2.weight"),
    )
    return NameMap(rules, re.compile(r"mm\.a\."))
