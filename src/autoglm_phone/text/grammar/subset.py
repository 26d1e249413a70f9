"""JSON schemas in the part of JSON Schema that llguidance keeps exactly: what validates against the result validates
against the original.

llguidance leaves out, widens or misreads some of JSON Schema without a word, and is a native program that a hostile
schema can make slow or large, or crash. So every keyword is read here first, what is not known to work is refused by
name, and sizes are bounded. Objects are closed: where a schema says nothing of additional properties there are none,
since a small model would make up more of them without end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

from autoglm_phone.text.grammar.composites import Subset, array_schema, object_schema
from autoglm_phone.text.grammar.disjoint import Comparison, type_of, values_of
from autoglm_phone.text.grammar.finite import cyclic, endless
from autoglm_phone.text.grammar.keyword_values import (
    ABOUT,
    Schema,
    UnsupportedKeyword,
    mapping,
    names,
    sequence,
    types,
    types_meant,
)
from autoglm_phone.text.grammar.keywords import constant, number_schema, string_schemas
from autoglm_phone.text.grammar.piles import most_patterns
from autoglm_phone.text.grammar.references import resolved

MAX_DEPTH = 100  # of schemas within schemas, references followed: llguidance's stack overflows at a few hundred
MAX_NESTING = 40  # within one text
MAX_SCHEMAS = 5_000
MAX_ALTERNATIVES = 1_000  # references that stand for the value itself, as in anyOf: they multiply
MAX_ONE_OF = 100  # compared pair by pair
MAX_PATTERNS_A_STRING = 2

_APPLIED = ("$ref", "allOf", "anyOf", "oneOf")
_REFUSED = (
    *("not", "if", "then", "else", "contains", "minContains", "maxContains", "dependentRequired", "dependentSchemas"),
    *("dependencies", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "disallow"),
    *("extends", "divisibleBy"),
)


class SchemaError(ValueError):
    """What is wrong with a schema, keyword and place included."""


def to_subset(schema: Schema | bool) -> dict[str, Any]:
    """Raises SchemaError for what cannot be kept to."""
    return _Writer(schema).write()


@dataclass(frozen=True)
class _Place:
    """depth counts through references, nesting does not. owner: the definition whose very value stands here."""

    path: str = "#"
    depth: int = 0
    nesting: int = 0
    owner: str = ""

    def within(self, *steps: str | int, owner: str = "") -> "_Place":
        return _Place("/".join([self.path, *map(str, steps)]), self.depth + 1, self.nesting + 1, owner)


class _Writer:
    def __init__(self, root: Schema | bool) -> None:
        self._root = root
        self._names: dict[tuple[str, bool], str] = {}
        self._definitions: dict[str, Subset] = {}
        self._same_value: dict[str, list[str]] = {}
        self._comparison = Comparison(partial(resolved, root))
        self._num_schemas = 0

    def write(self) -> dict[str, Any]:
        root = self._write(self._root, _Place(), is_open=False)
        if root is False:
            raise SchemaError("it allows no value")
        if sum(map(len, self._same_value.values())) > MAX_ALTERNATIVES:
            raise SchemaError(f"'anyOf' and its like hold more than {MAX_ALTERNATIVES} references; merge some")
        if name := cyclic(self._same_value):
            raise SchemaError(f"'$ref' leads back to itself (at {self._path_of(name)})")
        if name := endless(self._definitions):
            raise SchemaError(f"no value ever ends: it is 'required' within itself (at {self._path_of(name)})")
        if most_patterns(root, self._definitions, MAX_PATTERNS_A_STRING) > MAX_PATTERNS_A_STRING:
            raise SchemaError(
                f"more than {MAX_PATTERNS_A_STRING} of 'pattern' and 'format' meet in one string; merge them"
            )
        return {**(root if isinstance(root, dict) else {}), "$defs": self._definitions}

    def _path_of(self, name: str) -> str:
        return next(reference for (reference, _), other in self._names.items() if other == name)

    def _write(self, schema: Any, place: _Place, *, is_open: bool) -> Subset:
        """is_open: it is for the schemas around this one to say what other properties there are."""
        self._num_schemas += 1
        if self._num_schemas > MAX_SCHEMAS:
            raise SchemaError(f"it is made of more than {MAX_SCHEMAS} schemas; leave some out")
        if place.nesting > MAX_NESTING or place.depth > MAX_DEPTH:
            limits = f"{MAX_NESTING} deep, or {MAX_DEPTH} with what '$ref' leads to"
            raise SchemaError(f"it is nested more than {limits} (at {place.path[:80]}...)")
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise SchemaError(f"a schema is an object, true or false, not {type(schema).__name__} (at {place.path})")
        try:
            return self._write_keywords(schema, place, is_open=is_open)
        except UnsupportedKeyword as error:
            raise SchemaError(f"{error} (at {place.path})") from error

    def _write_keywords(self, schema: Schema, place: _Place, *, is_open: bool) -> Subset:
        for keyword in _REFUSED:
            if keyword in schema:
                raise UnsupportedKeyword(keyword, "is not supported")
        if "$id" in schema and place.path != "#":
            raise UnsupportedKeyword("$id", "is supported only at the root; elsewhere it changes what '$ref' means")
        num_applied = len(sequence(schema, "allOf")) + sum(word in schema for word in _APPLIED if word != "allOf")
        is_mixed = num_applied > 1 or (num_applied == 1 and any(word in schema for word in ABOUT["object"]))
        parts = self._own(schema, place, is_closed=not is_open and not is_mixed)
        parts += self._applied(schema, place, is_open=is_open or is_mixed)
        if is_mixed and not is_open and (known := self._property_names(schema, set())):
            parts.append({"properties": dict.fromkeys(known, True), "additionalProperties": False})
        return _all_of(parts)

    def _own(self, schema: Schema, place: _Place, *, is_closed: bool) -> list[Subset]:
        """Its type with what goes with that, and its constants."""
        stated = types(schema)
        values, keyword = values_of(schema), "const" if "const" in schema else "enum"
        parts: list[Subset] = []
        if keyword == "enum":
            sequence(schema, "enum")  # refuses what is no list
        if values is not None:
            kept = [value for value in values if stated is None or _is_one_of(value, stated)]
            if not kept:
                raise UnsupportedKeyword(keyword, "holds no value of the type")
            parts.append({"enum": [constant(value, keyword) for value in kept]})
        about = types_meant(schema)
        wanted = about if stated is None else stated
        if wanted and (not parts or any(_kind(name) in about for name in wanted)):
            options = [self._of_type(name, schema, place, is_closed=is_closed) for name in wanted]
            parts.insert(0, options[0] if len(options) == 1 else {"anyOf": options})
        return parts

    def _of_type(self, name: str, schema: Schema, place: _Place, *, is_closed: bool) -> Subset:
        def write(inner: Any, *steps: str | int) -> Subset:
            return self._write(inner, place.within(*steps), is_open=False)

        match name:
            case "integer" | "number":
                return number_schema(schema, is_integer=name == "integer")
            case "string":
                return _all_of(list(string_schemas(schema)))
            case "array":
                return array_schema(schema, write)
            case "object":
                return object_schema(schema, write, is_closed=is_closed)
        return {"type": name}

    def _applied(self, schema: Schema, place: _Place, *, is_open: bool) -> list[Subset]:
        """What other schemas say of the same value."""

        def write(keyword: str) -> list[Subset]:
            members = enumerate(sequence(schema, keyword))
            return [
                self._write(inner, place.within(keyword, index, owner=place.owner), is_open=is_open)
                for index, inner in members
            ]

        parts = [self._reference(schema["$ref"], place, is_open=is_open)] if "$ref" in schema else []
        parts += write("allOf")
        if "anyOf" in schema:
            parts.append({"anyOf": write("anyOf")})
        if "oneOf" in schema:
            self._check_disjoint(sequence(schema, "oneOf"))
            parts.append({"anyOf": write("oneOf")})
        return parts

    def _check_disjoint(self, members: Sequence[Any]) -> None:
        if len(members) > MAX_ONE_OF:
            raise UnsupportedKeyword("oneOf", f"has {len(members)} schemas, the limit is {MAX_ONE_OF}; use 'anyOf'")
        for (i, first), (k, second) in combinations(enumerate(members), 2):
            if not self._comparison.are_disjoint(first, second):
                reason = (
                    f"is supported where types, constants or required properties tell its schemas apart; {i} and {k}"
                )
                raise UnsupportedKeyword("oneOf", f"{reason} may fit the same value, so use 'anyOf'")

    def _reference(self, reference: Any, place: _Place, *, is_open: bool) -> Subset:
        target = resolved(self._root, reference)
        name = self._names.get((reference, is_open))
        if name is None:
            name = self._names[reference, is_open] = f"d{len(self._names)}"
            self._same_value[name] = []
            there = _Place(reference, place.depth + 1, owner=name)
            self._definitions[name] = self._write(target, there, is_open=is_open)
        if place.owner:
            self._same_value[place.owner].append(name)
        return {"$ref": f"#/$defs/{name}"}

    def _property_names(self, schema: Any, seen: set[str]) -> list[str] | None:
        """Names that any of the schemas for this value knows; None where one says what others there are."""
        if not isinstance(schema, Mapping):
            return []
        if any(word in schema for word in ("additionalProperties", "patternProperties", "propertyNames")):
            return None
        known = [*mapping(schema, "properties"), *names(schema, "required")]
        members = [inner for word in ("allOf", "anyOf", "oneOf") for inner in sequence(schema, word)]
        if "$ref" in schema and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            members.append(resolved(self._root, schema["$ref"]))
        for member in members:
            more = self._property_names(member, seen)
            if more is None:
                return None
            known += more
        return known


def _all_of(parts: list[Subset]) -> Subset:
    match parts:
        case []:
            return True
        case [part]:
            return part
    return {"allOf": parts}


def _kind(name: str) -> str:
    return "number" if name == "integer" else name


def _is_one_of(value: Any, stated: Sequence[str]) -> bool:
    return type_of(value) in stated or (type_of(value) == "integer" and "number" in stated)
