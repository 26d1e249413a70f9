"""Can one value validate against both of two JSON schemas? `oneOf` is `anyOf` where none can."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
MAX_DEPTH = 6

Resolve = Callable[[str], Any]
"""The schema that a `$ref` names."""


def are_disjoint(first: Any, second: Any, resolve: Resolve, depth: int = 0) -> bool:
    """True only where it can be seen: by types, by constants, or by a required property that tells them apart."""
    if first is False or second is False:
        return True
    if depth > MAX_DEPTH or not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return False
    ones, others = list(_conjuncts(first, resolve)), list(_conjuncts(second, resolve))
    return any(_simply_disjoint(one, other, resolve, depth) for one in ones for other in others)


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that `type`, `const` and `enum` leave; "integer" is in where "number" is."""
    allowed = frozenset(TYPES)
    stated = schema.get("type")
    if isinstance(stated, (str, list)):
        allowed = frozenset([stated] if isinstance(stated, str) else [name for name in stated if isinstance(name, str)])
        if "number" in allowed:
            allowed |= {"integer"}
    values = values_of(schema)
    return allowed if values is None else allowed & frozenset(map(type_of, values))


def type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def values_of(schema: Mapping[str, Any]) -> list[Any] | None:
    """The only values that a schema allows, if it lists them."""
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _conjuncts(schema: Mapping[str, Any], resolve: Resolve, seen: frozenset[str] = frozenset()) -> Iterator[Any]:
    """Schemas that a value must validate against, all of them; the first is the schema itself."""
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        target = resolve(reference)
        if isinstance(target, Mapping):
            yield from _conjuncts(target, resolve, seen | {reference})
    members = schema.get("allOf")
    for member in members if isinstance(members, list) else ():
        if isinstance(member, Mapping):
            yield from _conjuncts(member, resolve, seen)


def _simply_disjoint(first: Mapping[str, Any], second: Mapping[str, Any], resolve: Resolve, depth: int) -> bool:
    common = types_of(first) & types_of(second)
    if not common:
        return True
    one, other = values_of(first), values_of(second)
    if one is not None and other is not None:
        return not set(map(_canonical, one)) & set(map(_canonical, other))
    for schema, rest in ((first, second), (second, first)):
        for keyword in ("anyOf", "oneOf"):
            members = schema.get(keyword)
            if isinstance(members, list) and all(are_disjoint(m, rest, resolve, depth + 1) for m in members):
                return True
    return common == {"object"} and any(
        are_disjoint(_property(first, name), _property(second, name), resolve, depth + 1)
        for name in {*_required(first), *_required(second)}
    )


def _property(schema: Mapping[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)


def _required(schema: Mapping[str, Any]) -> list[str]:
    names = schema.get("required")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _canonical(value: Any) -> str:
    """The same for what JSON Schema calls equal: 1 and 1.0, objects in any order."""
    return json.dumps(_with_whole_numbers(value), sort_keys=True)


def _with_whole_numbers(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_with_whole_numbers(item) for item in value]
        case dict():
            return {key: _with_whole_numbers(item) for key, item in value.items()}
    return value
