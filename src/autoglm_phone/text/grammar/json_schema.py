"""JSON schemas to grammars: everything that follows the grammar parses and validates."""

import json
from collections.abc import Mapping
from typing import Any

from llguidance import LLMatcher

from autoglm_phone.text.grammar.validated import validated

# A small model can write blank space without end where it is free to, so there is one way to write a value:
# the one of json.dumps, which chat templates use and models were trained on.
OPTIONS = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nrbtf\\"',
}
ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


def json_object_grammar() -> str:
    """Any JSON object."""
    return _grammar(ANY_OBJECT)


def json_schema_grammar(schema: Mapping[str, Any] | bool, *, param: str) -> str:
    """Values that validate against the schema. Raises InvalidRequest that names the keyword that cannot be kept."""
    return validated(_grammar(schema), "the schema", param=param)


def embedded(schema: Mapping[str, Any]) -> str:
    """The schema as `%json` in a Lark grammar takes it."""
    return json.dumps({**schema, "x-guidance": OPTIONS})


def _grammar(schema: Mapping[str, Any] | bool) -> str:
    whole = dict(schema) if isinstance(schema, Mapping) else {"allOf": [schema]}
    return LLMatcher.grammar_from_json_schema(whole, overrides=OPTIONS)
