"""What a running server's processes hold together."""

import os
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """Source: proc_pid_task(5), /proc/pid/task/tid/children."""
    lists = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in lists for child in text.split()]


def private_bytes(pid: int) -> int:
    """What only this process holds, which is what comes back when it ends: RSS without the pages of files.

    Source: proc_pid_statm(5).
    """
    _, resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[:3])
    return (resident - shared) * PAGE_BYTES
