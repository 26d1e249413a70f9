"""Definitions of a JSON schema that no value can satisfy, because none comes to an end."""

from collections.abc import Mapping, Sequence, Set
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
    """A definition whose every value holds, without end, another of the kind. There must be no cyclic ones."""
    finite: set[str] = set()
    while True:
        endings = _Endings(definitions, finite)
        more = {name for name in definitions if name not in finite and endings.ends(definitions[name])}
        if not more:
            return next((name for name in definitions if name not in finite), None)
        finite |= more


class _Endings:
    """finite: definitions that are known to have a value that ends."""

    def __init__(self, definitions: Mapping[str, Any], finite: Set[str]) -> None:
        self._definitions, self._finite = definitions, finite
        self._known: dict[tuple[int, frozenset[str]], bool] = {}
        self._asked: dict[str, frozenset[str]] = {}

    def ends(self, schema: Any, required: frozenset[str] = frozenset()) -> bool:
        """Has it a value that needs no others? required: properties that schemas around it ask for."""
        key = (id(schema), required)
        if key not in self._known:
            self._known[key] = self._ends(schema, required)
        return self._known[key]

    def _ends(self, schema: Any, required: frozenset[str]) -> bool:
        if isinstance(schema, bool):
            return schema
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return name in self._finite and (not required or self.ends(self._definitions[name], required))
        if "allOf" in schema:
            required = required.union(*map(self._required, schema["allOf"]))
            return all(self.ends(member, required) for member in schema["allOf"])
        if "anyOf" in schema:
            return any(self.ends(member, required) for member in schema["anyOf"])
        return self._object_ends(schema, required | self._required(schema)) and self._array_ends(schema)

    def _object_ends(self, schema: Mapping[str, Any], required: frozenset[str]) -> bool:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        patterns = schema.get("patternProperties", {}).values()
        if schema.get("minProperties", 0) > len(required):
            return any(self.ends(inner) for inner in (*properties.values(), *patterns, others))
        # Which pattern a name matches is not looked at: any will do.
        rest = [*patterns, others]
        needed = [[properties[name]] if name in properties else rest for name in required]
        return all(any(map(self.ends, choices)) for choices in needed)

    def _array_ends(self, schema: Mapping[str, Any]) -> bool:
        prefix, num_needed = schema.get("prefixItems", []), schema.get("minItems", 0)
        rest = [schema["items"]] if num_needed > len(prefix) and "items" in schema else []
        return all(map(self.ends, [*prefix[:num_needed], *rest]))

    def _required(self, schema: Any) -> frozenset[str]:
        """What it asks for by itself and by what it refers to, but not by one of several ways."""
        if isinstance(schema, bool):
            return frozenset()
        found = frozenset(schema.get("required", ()))
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in self._asked:
                self._asked[name] = self._required(self._definitions[name])
            found |= self._asked[name]
        return found.union(*map(self._required, schema.get("allOf", ())))
