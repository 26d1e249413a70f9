"""What Linux tells of the first core, in /proc/cpuinfo; nothing elsewhere."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def first_core(cpuinfo: Path = CPUINFO) -> dict[str, str]:
    """Its lines by name, as they stand there."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    values: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    return values


def instruction_sets(core: dict[str, str]) -> list[str]:
    """x86 calls them flags, ARM features."""
    return (core.get("flags") or core.get("Features") or "").split()
