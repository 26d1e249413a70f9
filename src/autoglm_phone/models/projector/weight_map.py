"""Where a projector's tensors are in GLM-ASR's checkpoint and in an mmproj GGUF file: data."""

import re
from collections.abc import Iterable

from autoglm_phone.weights.name_map import NameMap, known_prefix, rule, same_suffixes

PREFIXES = ("model.multi_modal_projector.", "multi_modal_projector.")


def checkpoint_map(names: Iterable[str]) -> NameMap:
    """names: those of the checkpoint, which tell its age."""
    prefix = known_prefix(names, PREFIXES)
    rules = (*same_suffixes("up", "linear_1", "weight", "bias"), *same_suffixes("down", "linear_2", "weight", "bias"))
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
