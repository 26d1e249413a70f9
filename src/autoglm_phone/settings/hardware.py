"""What this machine lets us have: cores and memory, as far as a container's limits go."""

import os
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Hardware:
    """cores: those this process may use; memory_bytes: of the machine or of the container."""

    cores: int
    memory_bytes: int


def this_machine(cgroup: Path = CGROUP) -> Hardware:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # Source: Linux, Documentation/admin-guide/cgroup-v2.rst, cpu.max and memory.max
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        cores = min(cores, max(1, int(quota) // int(period)))
    limit = _read(cgroup / "memory.max")
    if limit.isdigit():
        memory_bytes = min(memory_bytes, int(limit))
    return Hardware(cores, memory_bytes)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
