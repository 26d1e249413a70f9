"""The header that names what a request said in vain."""

from collections.abc import Sequence

# Header lines are short and ASCII; the names come from the client.
MAX_NAMES = 20
MAX_CHARS = 80


def ignored_header(names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    shown = [name[:MAX_CHARS].encode("ascii", "backslashreplace").decode() for name in names]
    printable = ["".join(char if char.isprintable() and char != "," else "?" for char in name) for name in shown]
    more = [f"and {len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
    return {"x-autoglm-ignored": ", ".join(printable[:MAX_NAMES] + more)}
