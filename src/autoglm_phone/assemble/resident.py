"""How much memory a process holds: what a module takes is measured by it, before and after loading."""

import os

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int | None = None) -> int:
    """RSS of a process, this one if none is named. Source: proc(5), /proc/pid/statm."""
    with open(f"/proc/{pid or 'self'}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES
