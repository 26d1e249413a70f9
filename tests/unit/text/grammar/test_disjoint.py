from typing import Any

import pytest

from autoglm_phone.text.grammar.disjoint import Comparison

DEFINITIONS = {
    "text": {"type": "string"},
    "cat": {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]},
    "dog": {"type": "object", "properties": {"kind": {"enum": ["dog", "hound"]}, "age": {}}, "required": ["kind"]},
    "loop": {"$ref": "loop"},
}
CAT, DOG = {"$ref": "cat"}, {"$ref": "dog"}


def disjoint(first: Any, second: Any) -> bool:
    there, back = (
        Comparison(DEFINITIONS.__getitem__).are_disjoint(*pair) for pair in ((first, second), (second, first))
    )
    assert there == back
    return there


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"type": "string"}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": ["object", "array"]}),
        ({"type": "string"}, {"const": 1}),
        ({"const": "a"}, {"enum": ["b", "c"]}),
        ({"const": 1}, {"const": True}),
        ({"enum": [{"a": 1}]}, {"const": {"a": 2}}),
        (False, True),
        (CAT, DOG),
        (CAT, {"allOf": [DOG, {"type": "object", "required": ["age"]}]}),
        ({"$ref": "text"}, CAT),
        ({"anyOf": [{"$ref": "text"}, {"type": "null"}]}, {"oneOf": [CAT, DOG]}),
        # One asks for what the other forbids.
        ({"type": "object", "required": ["a"]}, {"type": "object", "properties": {}, "additionalProperties": False}),
        # Without a type the second is written for objects only, and the first tells those apart.
        (CAT, {"properties": {"kind": {"const": "dog"}}}),
    ],
    ids=str,
)
def test_what_no_written_value_can_be_both_of(first: Any, second: Any) -> None:
    assert disjoint(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (True, {"type": "string"}),
        ({}, {}),
        ({"type": "integer"}, {"type": "number"}),
        ({"const": 1}, {"const": 1.0}),
        ({"const": {"a": 1, "b": 2}}, {"const": {"b": 2, "a": 1}}),
        ({"const": 1}, {"type": "integer"}),
        ({"const": [1]}, {"type": "array"}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}),
        # Each is about another type, whose values the other lets pass.
        ({"minimum": 3}, {"pattern": "a"}),
        # The property is not required, or may be what a pattern says.
        ({"type": "object", "properties": {"k": {"const": 1}}}, {"type": "object", "properties": {"k": {"const": 2}}}),
        (CAT, {"type": "object", "patternProperties": {"k": {"const": "dog"}}, "additionalProperties": False}),
        (CAT, {"type": "object", "properties": {"age": {}}}),
        ({"$ref": "loop"}, CAT),
        ({"anyOf": [CAT, {"type": "null"}]}, CAT),
    ],
    ids=str,
)
def test_what_may_be_both_or_cannot_be_told(first: Any, second: Any) -> None:
    assert not disjoint(first, second)


def test_a_comparison_gives_up_after_a_while() -> None:
    inner: Any = {"const": 1}
    for _ in range(5):
        inner = {"anyOf": [inner] * 30}
    assert not disjoint(inner, {"anyOf": [{"type": "integer"}] * 30})
