"""What a server's memory goes to: estimated before anything is loaded, and measured while it runs."""

from dataclasses import dataclass
from typing import Literal

ProcessName = Literal["api", "engine", "media", "voice"]
MemoryKind = Literal["held", "reclaimable", "growing"]
"""held: from the start on. reclaimable: pages of a mapped file that nothing reads any more, which the system takes
back where memory is short. growing: at most so much more, as requests come."""


@dataclass(frozen=True)
class MemoryPart:
    process: ProcessName
    name: str
    size_bytes: int
    kind: MemoryKind = "held"


@dataclass(frozen=True)
class MemoryEstimate:
    """The three figures are sums over the parts."""

    parts: tuple[MemoryPart, ...]

    @property
    def needed_bytes(self) -> int:
        """Without so much the server cannot work."""
        return self._sum("held")

    @property
    def resident_bytes(self) -> int:
        """What the processes hold together once they are ready (RSS; pages that they share count in each)."""
        return self._sum("held", "reclaimable")

    @property
    def largest_bytes(self) -> int:
        """With every cache full, every seat taken, and a picture and a sound being read."""
        return self._sum("held", "growing", "reclaimable")

    def _sum(self, *kinds: MemoryKind) -> int:
        return sum(part.size_bytes for part in self.parts if part.kind in kinds)


@dataclass(frozen=True)
class MemoryReport:
    """estimate: None for a decoder whose file does not say enough. machine_bytes: of the machine or of the container.

    measured: RSS of the processes that run now.
    """

    estimate: MemoryEstimate | None
    machine_bytes: int
    measured: dict[ProcessName, int]
