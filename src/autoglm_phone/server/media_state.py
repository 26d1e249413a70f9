"""How the media process is, as /health and /metrics tell it."""

from collections.abc import Collection
from typing import Protocol


class MediaState(Protocol):
    """How the media process is; `state` is one of stopped, loading, ready, failed."""

    @property
    def state(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    @property
    def restarts(self) -> int: ...

    @property
    def error(self) -> str: ...

    @property
    def busy(self) -> Collection[str]:
        """What it is doing now: decoding, vision, speech."""
