"""How many patterns must hold for one and the same string of a JSON schema."""

from collections.abc import Mapping
from typing import Any

MAX_ROUNDS = 20


def most_patterns(root: Any, definitions: Mapping[str, Any], limit: int) -> int:
    """At least the number of patterns that meet in any string, or something above the limit.

    llguidance looks at once for a text that all of them match: with two it gives up soon, with 24 it takes minutes.
    """
    counts = dict.fromkeys(definitions, 0)
    for _ in range(MAX_ROUNDS):  # a definition may hold itself
        again = {name: _most(schema, counts) for name, schema in definitions.items()}
        if again == counts or max(again.values(), default=0) > limit:
            return max(_most(root, again), max(again.values(), default=0))
        counts = again
    return limit + 1


def _most(schema: Any, counts: Mapping[str, int]) -> int:
    if isinstance(schema, bool):
        return 0
    if "$ref" in schema:
        return counts[schema["$ref"].rpartition("/")[2]]
    inner = [schema[keyword] for keyword in ("items", "additionalProperties") if keyword in schema]
    inner += [*schema.get("anyOf", ()), *schema.get("prefixItems", ()), *schema.get("properties", {}).values()]
    return (
        max((_most(member, counts) for member in inner), default=0)
        # A property that a pattern matches must be what both say.
        + max((_most(member, counts) for member in schema.get("patternProperties", {}).values()), default=0)
        + sum(_most(member, counts) for member in schema.get("allOf", ()))
        + ("pattern" in schema or "format" in schema)
    )
