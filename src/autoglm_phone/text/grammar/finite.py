"""Definitions of a JSON schema that no value can satisfy, because none comes to an end."""

from collections.abc import Mapping, Sequence
from typing import Any


def cyclic(same_value: Mapping[str, Sequence[str]]) -> str | None:
    """A definition that stands, through others, for its own value. same_value: those that each stands for."""
    done: set[str] = set()
    for start in same_value:
        path = [(start, iter(same_value[start]))]
        open_names = {start}
        while path and start not in done:
            name, others = path[-1]
            following = next((other for other in others if other not in done), None)
            if following is None:
                done.add(name)
                open_names.discard(name)
                path.pop()
            elif following in open_names:
                return following
            else:
                open_names.add(following)
                path.append((following, iter(same_value[following])))
    return None


def endless(definitions: Mapping[str, Any]) -> str | None:
    """A definition whose every value holds, without end, another of the kind."""
    finite: set[str] = set()
    while more := {name for name, schema in definitions.items() if name not in finite and _ends(schema, finite)}:
        finite |= more
    return next((name for name in definitions if name not in finite), None)


def _ends(schema: Any, finite: set[str]) -> bool:
    """Has it a value that needs no definition but these?"""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2] in finite
    if "allOf" in schema:
        return all(_ends(member, finite) for member in schema["allOf"])
    if "anyOf" in schema:
        return any(_ends(member, finite) for member in schema["anyOf"])
    properties = schema.get("properties", {})
    if not all(_ends(properties[name], finite) for name in schema.get("required", ()) if name in properties):
        return False
    prefix, num_needed = schema.get("prefixItems", []), schema.get("minItems", 0)
    needed = [*prefix[:num_needed], *([schema["items"]] if num_needed > len(prefix) and "items" in schema else [])]
    return all(_ends(item, finite) for item in needed)
