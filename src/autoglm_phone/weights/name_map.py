"""Rules, as data, that say which tensors of a file a module's tensor is made of.

The same network reads the files of different makers through different maps. A map accounts for every tensor in its
scope: one that is missing or left over is an error (load.py), never a guess. Knows names and numbers, no network.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Make = Callable[[Sequence[Floats]], Floats]

LAYER = "{layer}"  # stands in the names of a rule that holds for every layer


def only(tensors: Sequence[Floats]) -> Floats:
    """The one tensor, as it is."""
    (tensor,) = tensors
    return tensor


def joined_rows(tensors: Sequence[Floats]) -> Floats:
    """Matrices that are multiplied with the same input, as one: (sum of rows, ...)."""
    return np.concatenate(tensors)


@dataclass(frozen=True)
class Rule:
    """ours: a name in the module. theirs: names in the file, in the order in which `make` takes them."""

    ours: str
    theirs: tuple[str, ...]
    make: Make = only


@dataclass(frozen=True)
class NameMap:
    """scope: matches those of the file's names that must all be used; the others belong to other modules."""

    rules: tuple[Rule, ...]
    scope: re.Pattern[str]

    def prefixed(self, prefix: str) -> "NameMap":
        """The same where each of the file's names has something in front of it; the scope stays."""
        rules = tuple(replace(one, theirs=tuple(prefix + name for name in one.theirs)) for one in self.rules)
        return replace(self, rules=rules)


def rule(ours: str, *theirs: str, make: Make = only) -> Rule:
    return Rule(ours, theirs, make)


def known_prefix(names: Iterable[str], prefixes: Sequence[str]) -> str:
    """The first of the prefixes that some name begins with; the last if none does.

    Checkpoints of different ages have different ones in front of the same names.
    """
    found = tuple(names)
    return next((one for one in prefixes if any(name.startswith(one) for name in found)), prefixes[-1])


def same_suffixes(ours: str, theirs: str, *suffixes: str) -> tuple[Rule, ...]:
    """A rule for each of the tensors of a layer: `weight`, `bias`."""
    return tuple(Rule(f"{ours}.{suffix}", (f"{theirs}.{suffix}",)) for suffix in suffixes)


def per_layer(rules: Iterable[Rule], num_layers: int) -> tuple[Rule, ...]:
    """Each rule once for every layer, its number in the place of `{layer}`."""
    return tuple(_numbered(one, str(layer)) for layer in range(num_layers) for one in rules)


def _numbered(one: Rule, layer: str) -> Rule:
    return replace(
        one, ours=one.ours.replace(LAYER, layer), theirs=tuple(name.replace(LAYER, layer) for name in one.theirs)
    )
