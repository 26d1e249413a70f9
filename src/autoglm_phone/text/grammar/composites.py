"""Objects and arrays of a JSON schema, brought to what llguidance keeps exactly."""

from collections.abc import Callable, Mapping
from typing import Any

from autoglm_phone.text.grammar.keyword_values import Schema, UnsupportedKeyword, mapping, names, sequence, shown, sizes
from autoglm_phone.text.grammar.keywords import search_pattern

MAX_PROPERTIES = 500  # where they are optional the cost grows with the square
MAX_PATTERN_PROPERTIES = 16  # compared pair by pair

Subset = dict[str, Any] | bool
Write = Callable[..., Subset]
"""Writes a schema within this one: the schema, then where it stands."""


def array_schema(schema: Schema, write: Write) -> dict[str, Any]:
    """In the form of draft 2020-12, whatever the draft was."""
    found: dict[str, Any] = {"type": "array", **sizes(schema, "Items")}
    is_unique = schema.get("uniqueItems", False)
    if is_unique is not False and found.get("maxItems", 2) > 1:
        raise UnsupportedKeyword("uniqueItems", "is supported only where there is one item at most")
    items = schema.get("items", True)
    if isinstance(items, list):  # up to draft 2019-09
        prefix, items, behind = items, schema.get("additionalItems", True), "additionalItems"
    else:
        prefix, behind = list(sequence(schema, "prefixItems")), "items"
    where = "items" if behind == "additionalItems" else "prefixItems"
    if prefix:
        found["prefixItems"] = [write(item, where, index) for index, item in enumerate(prefix)]
    if items is not True:
        found["items"] = write(items, behind)
    return found


def object_schema(schema: Schema, write: Write, *, is_closed: bool) -> dict[str, Any]:
    """is_closed: where the schema names properties and says nothing of others, there are no others."""
    properties = {name: write(inner, "properties", name) for name, inner in mapping(schema, "properties").items()}
    required = list(dict.fromkeys(names(schema, "required")))
    patterns = _patterns(schema, write)
    others: Subset = True
    if "additionalProperties" in schema:
        others = write(schema["additionalProperties"], "additionalProperties")
    elif is_closed and ("properties" in schema or "patternProperties" in schema):
        others = False
        if not patterns:
            properties |= {name: True for name in required if name not in properties}
    if "propertyNames" in schema:
        patterns, others = _by_names(schema["propertyNames"], properties, required, patterns, others)
    if len(properties) > MAX_PROPERTIES:
        reason = f"names {len(properties)} properties, the limit is {MAX_PROPERTIES}; group them into objects"
        raise UnsupportedKeyword("properties", reason)
    found: dict[str, Any] = {"type": "object"}
    found |= {"properties": properties} if properties else {}
    found |= {"patternProperties": patterns} if patterns else {}
    found |= {"additionalProperties": others} if others is not True else {}
    found |= {"required": required} if required else {}
    return found | _counts(schema, properties, required, is_open=bool(patterns) or others is not False)


def _patterns(schema: Schema, write: Write) -> dict[str, Subset]:
    given = mapping(schema, "patternProperties")
    if len(given) > MAX_PATTERN_PROPERTIES:
        reason = f"has {len(given)} patterns, the limit is {MAX_PATTERN_PROPERTIES}"
        raise UnsupportedKeyword("patternProperties", reason)
    found = {
        search_pattern(pattern, "patternProperties"): write(inner, "patternProperties", pattern)
        for pattern, inner in given.items()
    }
    if len(found) < len(given):
        raise UnsupportedKeyword("patternProperties", "has two patterns that mean the same")
    return found


def _by_names(
    rule: Any, properties: Mapping[str, Any], required: list[str], patterns: dict[str, Subset], others: Subset
) -> tuple[dict[str, Subset], Subset]:
    """propertyNames as patterns: all that generators of schemas write is a pattern for the keys of a map."""
    keywords = set(rule) - {"type", "title", "description"} if isinstance(rule, Mapping) else {"?"}
    if rule is True or (not keywords and rule.get("type", "string") == "string"):
        return patterns, others
    if keywords == {"pattern"} and not properties and not required and not patterns:
        return {search_pattern(rule["pattern"], "propertyNames"): others}, False
    raise UnsupportedKeyword("propertyNames", "is supported only as a 'pattern', and without 'properties' beside it")


def _counts(schema: Schema, properties: Mapping[str, Any], required: list[str], *, is_open: bool) -> dict[str, int]:
    """minProperties and maxProperties, where they say something that llguidance can count."""
    found = sizes(schema, "Properties")
    least, most = found.get("minProperties", 0), found.get("maxProperties")
    if least <= len(required):
        found.pop("minProperties", None)
    if most is not None and not is_open and most >= len(properties):
        found.pop("maxProperties")
    for keyword in found:
        has_optional = any(name not in required for name in properties)
        at_most_one_more = least <= len(required) + 1 and most in (None, len(required) + 1)
        if has_optional and (is_open or not at_most_one_more):
            raise UnsupportedKeyword(keyword, "is supported only where all properties are required or one is optional")
    if is_open and least > len(required) + 1:
        # Nothing keeps a name from coming twice, and twice is once when it is read.
        reason = f"is {shown(least)}; names that are not listed can be counted only up to one"
        raise UnsupportedKeyword("minProperties", reason)
    return found
