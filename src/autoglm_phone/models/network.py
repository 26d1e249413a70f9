"""A network filled from a file: it takes no memory before its weights come. Needs the extra `torch`.

What the modules of all modalities have in common when they are loaded; it knows none of them.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import nn

from autoglm_phone.core.packed_form import PackedForm
from autoglm_phone.ops.packed_linear import PackedLinear, fits
from autoglm_phone.weights.load import load_into
from autoglm_phone.weights.name_map import Floats, NameMap

Network = TypeVar("Network", bound=nn.Module)
FormOf = Callable[[str], PackedForm | None]
"""How a linear layer's weight that comes from the file's tensor of this name is held; None: as it is computed with."""


def as_computed(_: str) -> None:
    """The FormOf of weights that are not packed."""


def load_network(
    make: Callable[[], Network],
    tensors: Mapping[str, Floats],
    names: NameMap,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
    form_of: FormOf = as_computed,
) -> Network:
    """tensors: of any file whose names `names` knows. Raises BundleError if they are not those of the network."""
    with torch.device("meta"):  # no memory yet
        network = make().eval()
    _pack_layers(network, names, form_of)
    load_into(network, tensors, names, dtype=dtype, device=device)
    return network


def _pack_layers(network: nn.Module, names: NameMap, form_of: FormOf) -> None:
    """A layer that is made of several tensors is packed if all of them are to be held in one form."""
    for rule in names.rules:
        path, _, kind = rule.ours.rpartition(".")
        linear = network.get_submodule(path) if kind == "weight" else None
        forms = {form_of(name) for name in rule.theirs}
        form = forms.pop() if len(forms) == 1 else None
        if isinstance(linear, nn.Linear) and form is not None and fits(linear, form):
            owner, _, name = path.rpartition(".")
            setattr(network.get_submodule(owner), name, PackedLinear(linear, form))
