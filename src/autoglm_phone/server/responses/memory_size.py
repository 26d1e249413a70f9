"""How much memory a JSON value takes."""

import sys
from typing import Any


def memory_bytes(value: Any) -> int:
    """As Python holds it. A hostile body of many small values takes twenty times its length, and is counted so."""
    total, left = 0, [value]
    while left:
        value = left.pop()
        total += sys.getsizeof(value)
        if isinstance(value, dict):
            left.extend(value)
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
    return total
