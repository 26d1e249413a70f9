"""A place between the layers of a network where long work can be given up."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

from torch import nn


@contextlib.contextmanager
def before_each(modules: Iterable[nn.Module], checkpoint: Callable[[], None]) -> Iterator[None]:
    """Inside, each of the modules calls it before it computes; what it raises ends the computation."""
    with contextlib.ExitStack() as stack:
        for module in modules:
            handle = module.register_forward_pre_hook(lambda *_: checkpoint())
            stack.callback(handle.remove)
        yield
