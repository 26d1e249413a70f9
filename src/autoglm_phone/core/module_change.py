"""What is told of modules that are loaded and replaced while requests run."""

from dataclasses import dataclass

from autoglm_phone.core.module import ModuleInfo


@dataclass(frozen=True)
class ModuleUse:
    """A module that answers requests. is_leaving: it was replaced, and ends when those that it answers now have ended.

    num_requests: those that its process is answering.
    """

    info: ModuleInfo
    num_requests: int
    is_leaving: bool = False


@dataclass(frozen=True)
class ModuleChange:
    """loaded None: unloaded. replaced None: there was none before. seconds: from the request to the change."""

    loaded: ModuleInfo | None
    replaced: ModuleInfo | None
    seconds: float
