"""Can a value that is written for one of two JSON schemas validate against the other? `oneOf` is `anyOf` if none can.

A schema without `type` is written for the types that its keywords are about, but any other type validates as well.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from autoglm_phone.text.grammar.keyword_values import TYPES, types_meant

MAX_DEPTH = 6
MAX_STEPS = 100_000  # half a second

Resolve = Callable[[str], Any]
"""The schema that a `$ref` names; raises UnsupportedKeyword if there is none."""


class Comparison:
    """Of the schemas of one whole. After MAX_STEPS nothing is seen to be disjoint any more."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._steps_left = MAX_STEPS

    def are_disjoint(self, first: Any, second: Any, depth: int = 0) -> bool:
        """True only where it can be seen: by types, by constants, or by a required property that tells them apart."""
        self._steps_left -= 1
        if first is False or second is False:
            return True
        if (
            self._steps_left < 0
            or depth > MAX_DEPTH
            or not isinstance(first, Mapping)
            or not isinstance(second, Mapping)
        ):
            return False
        ones, others = list(self._conjuncts(first, set())), list(self._conjuncts(second, set()))
        return any(self._differ(one, other, depth) for one in ones for other in others)

    def _conjuncts(self, schema: Mapping[str, Any], seen: set[str]) -> Iterator[Mapping[str, Any]]:
        """Schemas that a value must validate against, all of them; the first is the schema itself."""
        yield schema
        members = schema.get("allOf")
        inner = list(members) if isinstance(members, list) else []
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            inner.append(self._resolve(reference))
        for member in inner:
            if isinstance(member, Mapping):
                yield from self._conjuncts(member, seen)

    def _differ(self, first: Mapping[str, Any], second: Mapping[str, Any], depth: int) -> bool:
        self._steps_left -= 1
        if self._steps_left < 0:
            return False
        common = _types(first, is_written=True) & _types(second, is_written=False)
        common |= _types(first, is_written=False) & _types(second, is_written=True)
        if not common:
            return True
        one, other = values_of(first), values_of(second)
        if one is not None and other is not None:
            self._steps_left -= len(one) + len(other)
            return not set(map(_canonical, one)) & set(map(_canonical, other))
        for schema, rest in ((first, second), (second, first)):
            for keyword in ("anyOf", "oneOf"):
                members = schema.get(keyword)
                if isinstance(members, list) and all(self.are_disjoint(inner, rest, depth + 1) for inner in members):
                    return True
        return common == {"object"} and any(
            self.are_disjoint(_property(first, name), _property(second, name), depth + 1)
            for name in {*_required(first), *_required(second)}
        )


def _types(schema: Mapping[str, Any], *, is_written: bool) -> frozenset[str]:
    """The types of what validates, or is written; "integer" is in where "number" is."""
    stated = schema.get("type", (types_meant(schema) if is_written else None) or TYPES)
    allowed = frozenset([stated] if isinstance(stated, str) else stated if isinstance(stated, list | tuple) else TYPES)
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
