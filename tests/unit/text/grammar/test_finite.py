from typing import Any

import pytest

from autoglm_phone.text.grammar.finite import cyclic, endless


def to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


@pytest.mark.parametrize(
    ("same_value", "found"),
    [
        ({}, False),
        ({"a": [], "b": []}, False),
        ({"a": ["b", "c"], "b": ["c"], "c": []}, False),
        ({"a": ["a"]}, True),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, True),
        ({f"d{i}": [f"d{i + 1}"] for i in range(5000)} | {"d5000": []}, False),
        ({f"d{i}": [f"d{k}" for k in range(i + 1, 40)] for i in range(40)}, False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_definitions_that_stand_for_themselves_are_found(same_value: dict[str, list[str]], found: bool) -> None:
    name = cyclic(same_value)
    assert (name is not None) == found


ENDLESS = {"type": "object", "properties": {"x": to("d")}, "required": ["x"]}


@pytest.mark.parametrize(
    "schema",
    [
        ENDLESS,
        {"type": "array", "items": to("d"), "minItems": 1},
        {"type": "array", "prefixItems": [{}, to("d")], "minItems": 2},
        {"anyOf": [ENDLESS, {"type": "array", "items": to("d"), "minItems": 1}]},
        {"allOf": [{"type": "object"}, ENDLESS]},
        {"allOf": [{"type": "object", "properties": {"x": to("d")}}, {"type": "object", "required": ["x"]}]},
        {"allOf": [{"anyOf": [{"properties": {"x": to("d")}}]}, to("asks")]},
        {"type": "object", "additionalProperties": to("d"), "required": ["y"]},
        {"type": "object", "additionalProperties": to("d"), "minProperties": 1},
        {"type": "object", "properties": {"x": to("other")}, "required": ["x"]},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_value_that_holds_one_of_its_kind_without_end_is_found(schema: dict[str, Any]) -> None:
    others = {"asks": {"type": "object", "required": ["x"]}, "other": {"anyOf": [to("d")]}}
    assert endless({"d": schema, **others}) is not None


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"type": "object", "properties": {"x": to("d")}},
        {"type": "array", "items": to("d")},
        {"type": "array", "prefixItems": [to("d")]},
        {"anyOf": [ENDLESS, {"type": "null"}]},
        {"type": "object", "properties": {"x": {"anyOf": [to("d"), {"type": "null"}]}}, "required": ["x"]},
        {"type": "object", "properties": {"x": to("d"), "y": {}}, "minProperties": 1},
        {"type": "object", "patternProperties": {"a": to("d")}, "required": ["y"]},
        {"type": "object", "required": ["y"]},
        {"allOf": [{"type": "object", "properties": {"x": to("d")}}, {"type": "object", "required": ["y"]}]},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_value_that_can_end_is_let_be(schema: Any) -> None:
    assert endless({"d": schema}) is None


def test_many_ways_to_the_same_definition_are_followed_once() -> None:
    links = {f"d{i}": {"allOf": [{"anyOf": [to(f"d{i + 1}")]}, to(f"d{i + 1}")]} for i in range(45)}
    assert endless({**links, "d45": {"type": "null"}}) is None
