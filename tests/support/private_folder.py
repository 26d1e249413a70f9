"""A folder that only one mount namespace sees: it goes with the process that holds it, however that ends.

In memory where there is plenty: a disk may take minutes to delete what was written in seconds.
"""

import subprocess
from pathlib import Path

PLENTY_KIB = 8 << 20
MOUNT_POINT = Path("/mnt")


class PrivateFolder:
    """disk: a folder that is used where memory is short."""

    def __init__(self, disk: Path) -> None:
        what = "-t tmpfs tmpfs" if _available_kib() > PLENTY_KIB else f"--bind '{disk}'"
        script = f"mount {what} {MOUNT_POINT}; echo ready; exec sleep infinity"
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "sh", "-ec", script], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"`{script}` failed in a namespace of its own")
        # the folder as the rest of the machine reaches it, and as programs do that enter the namespace
        self.path = Path(f"/proc/{self._holder.pid}/root{MOUNT_POINT}")
        self.entering = ("nsenter", f"--target={self._holder.pid}", "--mount")

    def seen_inside(self, path: Path) -> Path:
        """The path by which the namespace knows a file of this folder; others are the same on both sides."""
        return MOUNT_POINT / path.relative_to(self.path) if path.is_relative_to(self.path) else path

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


def _available_kib() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0])
    return 0
