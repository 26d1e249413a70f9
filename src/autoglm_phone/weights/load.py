"""Fills a PyTorch module from a file's tensors, one at a time.

The module may be on torch's `meta` device, where it takes no memory: its parameters are replaced by the loaded ones,
so that loading needs the result and the largest tensor in float32 besides. Needs the extra `torch`.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.name_map import Floats, NameMap, Rule

NAMES_SHOWN = 5


@runtime_checkable
class Packing(Protocol):
    """A layer that holds its weight in a form of its own."""

    def pack(self, weight: torch.Tensor) -> None: ...


def load_into(
    module: nn.Module,
    tensors: Mapping[str, Floats],
    names: NameMap,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> None:
    """Every parameter of the module is set, on the device and in dtype; nothing is trainable afterwards.

    Raises BundleError that names what is missing, left over, or of another shape.
    """
    _check_names(tensors, names)
    wanted = dict(module.named_parameters())
    unmapped = wanted.keys() ^ {rule.ours for rule in names.rules}
    assert not unmapped, f"the module and its name map differ: {sorted(unmapped)}"
    # The largest first: in float32 it takes more than once it is held packed, and then little else is there yet.
    for rule in sorted(names.rules, key=lambda rule: -wanted[rule.ours].numel()):
        made = _made(rule, tensors, tuple(wanted[rule.ours].shape))
        path, _, name = rule.ours.rpartition(".")
        owner = module.get_submodule(path)
        if isinstance(owner, Packing) and name == "weight":
            owner.pack(made.to(device=device))
        else:
            setattr(owner, name, nn.Parameter(made.to(device=device, dtype=dtype), requires_grad=False))


def _made(rule: Rule, tensors: Mapping[str, Floats], shape: tuple[int, ...]) -> torch.Tensor:
    try:
        numbers = rule.make([tensors[name] for name in rule.theirs])
    except ValueError as error:  # numpy on shapes that do not go together
        raise BundleError(f"{' and '.join(rule.theirs)} do not fit the module: {error}") from error
    if numbers.shape != shape:
        raise BundleError(f"{' and '.join(rule.theirs)} give {numbers.shape}, the configuration asks for {shape}")
    # A copy where numpy's array is a view of the file, which is read-only.
    return torch.from_numpy(numbers if numbers.flags.writeable else numbers.copy())


def _check_names(tensors: Mapping[str, Floats], names: NameMap) -> None:
    used = {name for rule in names.rules for name in rule.theirs}
    missing = used - tensors.keys()
    if missing:
        raise BundleError(f"the weights lack {_listed(missing)}")
    left_over = {name for name in tensors if names.scope.match(name)} - used
    if left_over:
        raise BundleError(f"the weights hold {_listed(left_over)}, which this module has no place for")


def _listed(names: set[str]) -> str:
    first = sorted(names)[:NAMES_SHOWN]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more tensors" if more else "")
