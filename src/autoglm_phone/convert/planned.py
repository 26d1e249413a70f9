"""A tensor that is to be written: its name, shape and number format, and where its rows come from.

The plans of text, vision and speech are lists of these; whoever writes files needs no more.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.checkpoint import Checkpoint
from autoglm_phone.weights.dequantize import Floats, dequantize
from autoglm_phone.weights.gguf_types import TensorType, named
from autoglm_phone.weights.safetensors_file import StoredTensor

CHUNK_ELEMENTS = 1 << 22  # numbers in memory at a time, of each thread: 16 MB in float32

Rearrange = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Rule:
    """Which tensor of a checkpoint becomes which of ours.

    source_shape: where it differs from `shape`; rearrange then makes the one from the other, in float32.
    """

    source: str
    target: str
    shape: tuple[int, ...]
    rearrange: Rearrange | None = None
    source_shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Planned:
    """shape: numpy's order, the row last."""

    rule: Rule
    type: TensorType

    @property
    def name(self) -> str:
        return self.rule.target

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rule.shape

    @property
    def row_bytes(self) -> int:
        return self.shape[-1] // self.type.block_len * self.type.block_bytes

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape[:-1]) * self.row_bytes


def stored(checkpoint: Checkpoint, rule: Rule) -> StoredTensor:
    """The rule's tensor, if it has the shape that the config implies. Raises BundleError that names it."""
    tensor = checkpoint.tensor(rule.source)
    wanted = rule.source_shape or rule.shape
    if tensor.shape != wanted:
        raise BundleError(f"tensor {rule.source!r} is {tensor.shape}; config.json makes it {wanted}")
    if tensor.dtype not in ("F32", "F16", "BF16"):
        raise BundleError(f"tensor {rule.source!r} is of {tensor.dtype}; only F32, F16 and BF16 can be converted")
    return tensor


def rows_of(checkpoint: Checkpoint, rule: Rule) -> Iterator[Floats]:
    """(rows, numbers of a row) float32, some at a time, in order."""
    tensor = stored(checkpoint, rule)
    row_len = rule.shape[-1]
    step = max(1, CHUNK_ELEMENTS // row_len)
    if rule.rearrange is None:
        for start in range(0, tensor.num_rows, step):
            yield _finite(rule, dequantize(tensor.data(start, start + step), named(tensor.dtype)))
        return
    whole = dequantize(tensor.data(), named(tensor.dtype)).reshape(tensor.shape)
    rows = np.ascontiguousarray(rule.rearrange(whole).reshape(-1, row_len))
    for start in range(0, len(rows), step):
        yield _finite(rule, rows[start : start + step])


def _finite(rule: Rule, rows: Floats) -> Floats:
    if not np.isfinite(rows).all():
        raise BundleError(f"tensor {rule.source!r} holds numbers that are infinite or none at all")
    return rows


def check_all_used(checkpoint: Checkpoint, rules: Sequence[Rule], *, under: Sequence[str]) -> None:
    """Raises BundleError if a tensor whose name begins with one of `under` has no rule: it would be lost silently."""
    used = {rule.source for rule in rules}
    left = [name for name in checkpoint.tensors if name not in used and name.startswith(tuple(under))]
    if left:
        raise BundleError(f"{len(left)} tensors of the checkpoint have no place in the result, such as {left[0]!r}")


def renamed(rules: Sequence[Rule], ours: str, theirs: str) -> list[Rule]:
    """With another beginning of the names of their sources."""
    return [
        replace(rule, source=theirs + rule.source.removeprefix(ours)) if rule.source.startswith(ours) else rule
        for rule in rules
    ]


def to_neox(rows: Floats, head_size: int, rotary_dims: int) -> Any:
    """Of every head's rotary dimensions first all even ones, then all odd ones.

    rows: (heads * head_size, ...). Checkpoints turn neighbours as pairs (0,1), (2,3), ...; llama.cpp's M-RoPE turns
    (0, n/2), (1, n/2 + 1), ... (NeoX). Queries and keys moved alike give the same products.
    """
    heads = rows.reshape(-1, head_size, *rows.shape[1:])
    turning, still = heads[:, :rotary_dims], heads[:, rotary_dims:]
    return np.concatenate((turning[:, ::2], turning[:, 1::2], still), axis=1).reshape(rows.shape)
