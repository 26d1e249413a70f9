"""JSON schemas to grammars: every answer that follows the grammar to its end parses and validates.

There is one way to write a value, that of Python's json.dumps with ensure_ascii off: a space behind each comma and
colon and none elsewhere, as chat templates write JSON and models were trained on it. A small model can go on with blank
space for ever where it is free to. Characters stand for themselves, so that a name has one spelling: llguidance would
let a property come twice, the second time with an escape by number. Lengths and digits are not bounded beyond the
schema; decimals of more than 17 digits are rounded by whoever reads them, and may then touch an exclusive bound.
"""

import json
from collections.abc import Mapping
from typing import Any

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar.subset import SchemaError, to_subset
from autoglm_phone.text.grammar.validated import fault

MAX_SCHEMA_BYTES = 100_000

_OPTIONS = {
    "item_separator": ", ",
    "key_separator": ": ",
    "whitespace_flexible": False,
    "json_allowed_escapes": 'nrbtf\\"',
}
# Beginnings of what llguidance says, each with our word for it.
_FAULTS = {
    "Unable to determine if regex": "'pattern' with lengths or a format beside it is too complex; simplify it",
    "can't determine if patternProperty": "'patternProperties' must not overlap, which cannot be told here; simplify",
    "patternProperty": "'patternProperties' must not overlap",
    "schema too large": "'allOf' and 'anyOf' multiply to too many cases",
    "Schema intersection": "'allOf' is nested too deeply",
    "circular references": "'$ref' with keywords beside it leads back to itself",
    "min/maxProperties": "'minProperties' and 'maxProperties' are supported only where all properties are required",
    "Unsatisfiable schema: ": "no value can validate: ",
}
_LONGEST_REASON = 300


def json_object_grammar() -> str:
    """Any JSON object."""
    return _grammar({"type": "object"})


def json_schema_grammar(schema: Mapping[str, Any] | bool, *, param: str) -> str:
    """Values that validate against the schema. Raises InvalidRequest that names the keyword that cannot be kept to.

    Takes up to a second: not for the event loop. `text/grammar/subset.py` says what differs from JSON Schema's text.
    """
    return _checked(_grammar(_subset(schema, param)), param)


def embedded_schema(schema: Mapping[str, Any] | bool, *, param: str) -> str:
    """The same, to be put behind `%json` in a Lark grammar."""
    subset = _subset(schema, param)
    _checked(_grammar(subset), param)
    return json.dumps(_with_options(subset))


def any_object() -> str:
    """What embedded_schema gives for any JSON object."""
    return json.dumps(_with_options({"type": "object"}))


def _subset(schema: Mapping[str, Any] | bool, param: str) -> dict[str, Any]:
    try:
        size_bytes = len(json.dumps(schema))
        if size_bytes > MAX_SCHEMA_BYTES:
            raise SchemaError(f"it has {size_bytes} bytes, the limit is {MAX_SCHEMA_BYTES}; leave some of it out")
        subset = to_subset(schema)
        json.dumps(subset, ensure_ascii=False).encode()
    except RecursionError as error:
        raise InvalidRequest("the schema cannot be followed: it is nested too deeply", param=param) from error
    except UnicodeEncodeError as error:
        raise InvalidRequest("the schema cannot be followed: it holds half of a surrogate pair", param=param) from error
    except ValueError as error:  # a SchemaError, or Python's refusal to print a number of thousands of digits
        raise InvalidRequest(f"the schema cannot be followed: {error}", param=param) from error
    return subset


def _checked(grammar: str, param: str) -> str:
    if reason := fault(grammar):
        for beginning, words in _FAULTS.items():
            if reason.startswith(beginning):
                reason = words + reason.removeprefix(beginning) if words.endswith(": ") else words
                break
        raise InvalidRequest(f"the schema cannot be followed: {reason[:_LONGEST_REASON]}", param=param)
    return grammar


def _grammar(subset: Mapping[str, Any]) -> str:
    return json.dumps({"grammars": [{"json_schema": _with_options(subset)}]})


def _with_options(subset: Mapping[str, Any]) -> dict[str, Any]:
    return {**subset, "x-guidance": _OPTIONS}
