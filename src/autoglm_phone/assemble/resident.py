"""How much memory this process holds: what a module takes is measured by it, before and after loading."""

import os

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """RSS of this process. Source: proc(5), /proc/pid/statm."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES
