"""Whether PyTorch is there: asked before anything that imports it is imported. This file does not."""

from importlib.util import find_spec

from autoglm_phone.core.errors import MissingDependency


def require_torch() -> None:
    """Raises MissingDependency that says what to install."""
    if find_spec("torch") is None:
        raise MissingDependency("PyTorch is not installed; run: pip install 'torch>=2.8,<3'")
