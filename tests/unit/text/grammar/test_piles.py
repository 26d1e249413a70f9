from typing import Any

import pytest

from autoglm_phone.text.grammar.piles import most_patterns

P = {"type": "string", "pattern": "a"}
DEFINITIONS = {
    "p": P,
    "two": {"allOf": [P, {"$ref": "#/$defs/p"}]},
    "tree": {"properties": {"x": {"$ref": "#/$defs/tree"}}},
}


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (True, 0),
        (P, 1),
        ({"anyOf": [P, P, P]}, 1),
        ({"allOf": [P, {"format": "uri"}, P]}, 3),
        ({"properties": {"a": P, "b": P}, "additionalProperties": P}, 1),
        ({"properties": {"a": P}, "patternProperties": {"^a": P}}, 2),
        ({"allOf": [{"properties": {"a": P}}, {"items": {"prefixItems": [P]}}]}, 2),
        ({"$ref": "#/$defs/two"}, 2),
        ({"allOf": [{"$ref": "#/$defs/two"}, P]}, 3),
        ({"$ref": "#/$defs/tree"}, 0),
    ],
    ids=str,
)
def test_patterns_are_counted_where_they_may_meet(root: Any, expected: int) -> None:
    used = [name for name in DEFINITIONS if f"#/$defs/{name}" in str(root)]
    definitions = {name: DEFINITIONS[name] for name in (*used, *(["p"] if "two" in used else []))}
    assert most_patterns(root, definitions, limit=9) == expected


def test_a_pile_that_grows_with_every_level_is_over_any_limit() -> None:
    same = {"$ref": "#/$defs/d"}
    definitions = {"d": {"allOf": [{"properties": {"x": same}}, {"properties": {"x": same}}, P]}}
    assert most_patterns(same, definitions, limit=5) > 5
