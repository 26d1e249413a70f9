"""The header that names what a request said in vain."""

from collections.abc import Sequence

# Header lines are short and ASCII; the names come from the client.
MAX_NAMES = 20
MAX_CHARS = 80


def ignored_header(names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    more = [f"and {len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
    return {"x-autoglm-ignored": ", ".join([*map(_shown, names[:MAX_NAMES]), *more])}


def _shown(name: str) -> str:
    """Never empty and without spaces: a header that ends with one would break the connection off."""
    ascii_name = name[:MAX_CHARS].encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() and char not in ", " else "?" for char in ascii_name) or "?"
