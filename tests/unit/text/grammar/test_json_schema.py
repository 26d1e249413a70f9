"""Whatever an answer does within the grammar of a schema, it parses and validates; jsonschema is the judge."""

import enum
import json
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from grammar_walker import accepts, begins, random_answer
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import BaseModel, Field
from random_schemas import schemas

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.text.grammar import json_object_grammar, json_schema_grammar
from autoglm_phone.text.grammar.json_schema import embedded_schema

PARAM = "response_format"
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def grammar_of(schema: Any) -> str:
    return json_schema_grammar(schema, param=PARAM)


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def validates(schema: Any, value: Any) -> bool:
    """With formats, in the schema's own draft or the newest."""
    kind: type[Validator] = validator_for(schema, default=jsonschema.Draft202012Validator)
    return bool(kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid(value))


def check_what_is_written(schema: dict[str, Any], seed: int) -> None:
    try:
        grammar = grammar_of(schema)
    except InvalidRequest:
        assume(False)
    for way in range(seed, seed + 4):
        text = random_answer(grammar, way)
        assert validates(schema, json.loads(text)), text


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(schemas, st.integers(0, 999))
def test_whatever_is_written_validates(schema: dict[str, Any], seed: int) -> None:
    check_what_is_written(schema, seed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(schemas, st.integers(0, 999))
def test_whatever_is_written_validates_at_length(schema: dict[str, Any], seed: int) -> None:
    check_what_is_written(schema, seed)


# Each schema with values that can be written and some that cannot, all of them as json.dumps writes them.
FOLLOWED: list[tuple[Any, list[Any], list[Any]]] = [
    (True, [None, True, 1.5, "a", [1], {"a": {}}], []),
    ({}, [None, {"a": [1, "b"]}], []),
    ({"title": "T", "default": 3, "x-mine": {}, "examples": [1], "deprecated": True}, [1, "a"], []),
    ({"type": "null"}, [None], [False, 0, ""]),
    ({"type": "boolean"}, [True, False], [None, 0]),
    ({"type": "string"}, ["", 'a\n"b\\c', "好😀", "/"], [1, None]),
    ({"type": ["string", "null"], "maxLength": 2}, ["ab", "好😀", None], ["abc", 1]),
    ({"type": "integer"}, [0, -1, 10**18], [1.5, "1"]),
    ({"type": "number"}, [0, -1.5, 1e20], ["1"]),
    ({"type": ["integer", "number"]}, [1, 1.5], []),
    # numbers
    ({"type": "integer", "minimum": -5, "maximum": 17}, [-5, 0, 17], [-6, 18]),
    ({"type": "integer", "minimum": 1.5, "exclusiveMaximum": 4}, [2, 3], [1, 4]),
    ({"type": "integer", "exclusiveMinimum": -1, "minimum": -7}, [0, 7], [-1]),
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, [4], [3]),
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": False}, [3], [2]),
    ({"type": "number", "minimum": 0.1, "exclusiveMaximum": 0.35}, [0.1, 0.34], [0.05, 0.35]),
    ({"type": "number", "maximum": 1e300}, [2**53 - 1, -1.5], []),
    ({"minimum": 0}, [0, 1.5], [-1, "a"]),  # what the keyword is about is what is meant
    ({"type": "integer", "multipleOf": 7}, [0, 7, -14], [1, 8]),
    ({"type": "number", "multipleOf": 7}, [7], [3.5]),
    ({"type": "number", "multipleOf": 0.5}, [0.5, 1, -1.5], [0.3]),
    # strings
    ({"type": "string", "minLength": 1, "maxLength": 3}, ["a", "好😀x"], ["", "abcd"]),
    ({"type": "string", "maxLength": 10**30}, ["a" * 50], []),
    ({"type": "string", "pattern": "b"}, ["b", "abc"], ["", "ac"]),
    ({"type": "string", "pattern": "^a+$", "maxLength": 2}, ["a", "aa"], ["aaa", "b"]),
    ({"pattern": "^a$"}, ["a"], ["b", 1]),
    ({"type": "string", "format": "date"}, ["2024-02-29"], ["2023-02-29", "2024-04-31", "a"]),
    ({"type": "string", "format": "ipv4", "maxLength": 9}, ["127.0.0.1"], ["192.168.100.1"]),
    ({"type": "integer", "format": "int32"}, [1], []),
    # constants
    ({"const": {"a": [1, None]}}, [{"a": [1, None]}], [{"a": [1]}, {}]),
    ({"enum": ["a", 1, None, True, 1.5, [], {}]}, ["a", 1, None, True, 1.5, [], {}], ["b", 2, False]),
    ({"type": "integer", "enum": [1, "a", 2.0]}, [1, 2], ["a"]),
    ({"type": "string", "enum": ["a", "bc"], "minLength": 2}, ["bc"], ["a"]),
    ({"const": 'say "hi"\n\\/'}, ['say "hi"\n\\/'], []),
    ({"const": -0.001}, [-0.001], [0.001]),
    # arrays
    ({"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 2}, [[None], [None, None]], [[], [1]]),
    ({"type": "array", "maxItems": 0}, [[]], [[1]]),
    ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}]}, [["a"], ["a", None, 1], []], [[1]]),
    ({"type": "array", "prefixItems": [{"const": 1}], "items": False}, [[], [1]], [[1, 1]]),
    ({"type": "array", "prefixItems": [True], "items": False, "minItems": 1}, [[1]], [[]]),
    ({"type": "array", "uniqueItems": True, "maxItems": 1}, [[], [1]], [[1, 1]]),
    ({"type": "array", "uniqueItems": False}, [[1, 1]], []),
    ({"type": "array", "contentEncoding": "base64"}, [[1]], []),
    # objects
    ({"type": "object"}, [{}, {"a": 1, "b": {}}], []),
    ({"type": "object", "properties": {}}, [{}], [{"a": 1}]),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, [{"b": 1}, {"a": 1, "b": 2}], [{"a": 1}]),
    ({"type": "object", "properties": {"a": {}}, "required": ["z"]}, [{"z": 1}, {"a": 1, "z": 2}], [{}]),
    ({"properties": {"a": {"type": "null"}}}, [{}, {"a": None}], [{"b": 1}, 1]),
    ({"type": "object", "additionalProperties": {"type": "null"}}, [{}, {"a": None}], [{"a": 1}]),
    (
        {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": True},
        [{"a": 1}, {"a": 1, "b": 2}, {"ab": 2}],
        [{"a": 2}],
    ),
    (
        {"type": "object", "patternProperties": {"^x_": {"type": "null"}}, "additionalProperties": {"const": 1}},
        [{"x_1": None, "y": 1}, {}],
        [{"x_1": 1}, {"y": None}],
    ),
    ({"type": "object", "patternProperties": {"^x_": {}}}, [{"x_": 1}], [{"y": 1}]),
    (
        {"type": "object", "properties": {"xa": {"minimum": 5}}, "patternProperties": {"^x": {"type": "integer"}}},
        [{"xa": 7}, {"xb": 1}],
        [{"xa": 5.5}, {"xa": 1}],
    ),
    ({"type": "object", "propertyNames": {"type": "string"}}, [{"a": 1}], []),
    ({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}}, [{"a": 1}], [{"A": 1}]),
    ({"type": "object", "minProperties": 1}, [{"a": 1}, {"a": 1, "b": 2}], [{}]),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "minProperties": 1}, [{"a": 1}, {"b": 1}], [{}]),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1}, [{}, {"b": 1}], [{"a": 1, "b": 1}]),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 7}, [{"a": 1, "b": 1}], []),
    ({"type": "object", "properties": {'q"\n': {}}, "required": ['q"\n']}, [{'q"\n': 1}], [{}]),
    # together
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, [1, None], ["a"]),
    ({"anyOf": [{"const": "a"}, False]}, ["a"], ["b"]),
    ({"allOf": [{"minimum": 3}, {"type": "integer"}]}, [3], [2, 3.5]),
    (
        {"allOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"b": {}}, "required": ["b"]}]},
        [{"a": None, "b": 1}, {"b": 1}],
        [{"a": 1, "b": 1}, {"b": 1, "c": 1}, {}],
    ),
    (
        {"type": "object", "properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}],
        [{}, {"c": 1}],
    ),
    (
        {"type": "object", "properties": {"a": {}}, "allOf": [{"required": ["x"], "additionalProperties": True}]},
        [{"x": 1}, {"a": 1, "x": 1, "y": 1}],
        [{}],
    ),
    ({"oneOf": [{"const": "a"}, {"const": "b"}, {"type": "null"}]}, ["a", "b", None], ["c"]),
    # references
    ({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "null"}}}, [None], [1]),
    ({"properties": {"a": {"type": "null"}, "b": {"$ref": "#/properties/a"}}}, [{"b": None}], [{"b": 1}]),
    (
        {"type": "object", "properties": {"v": {}, "next": {"$ref": "#"}}},
        [{"v": 1, "next": {"next": {}}}],
        [{"next": 1}],
    ),
    (
        {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}},
        [[], [[None, []]]],
        [[1]],
    ),
    (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": {"p": {"type": "string"}},
            "type": "array",
            "items": [{"$ref": "#/definitions/p"}, {"type": "integer"}],
            "additionalItems": False,
        },
        [["a", 1], []],
        [[1], ["a", 1, 1]],
    ),
    ({"$ref": "#/$defs/p", "description": "d", "$defs": {"p": {"properties": {"a": {}}}}}, [{"a": 1}], [{"b": 1}]),
]


@pytest.mark.parametrize(("schema", "good", "bad"), FOLLOWED, ids=lambda value: written(value)[:60])
def test_what_is_followed(schema: Any, good: list[Any], bad: list[Any]) -> None:
    grammar = grammar_of(schema)
    assert [value for value in good if not accepts(grammar, written(value))] == []
    assert [value for value in good if not validates(schema, value)] == []
    assert [value for value in bad if accepts(grammar, written(value))] == []
    for seed in range(10):
        text = random_answer(grammar, seed)
        assert validates(schema, json.loads(text)), text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"not": {"type": "null"}}, "'not' is not supported (at #)"),
        ({"if": {}, "then": {}}, "'if'"),
        ({"type": "array", "contains": {"type": "null"}}, "'contains'"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "object", "dependentRequired": {"a": ["b"]}}, "'dependentRequired'"),
        ({"type": "object", "dependentSchemas": {"a": {}}}, "'dependentSchemas'"),
        ({"type": "object", "dependencies": {"a": ["b"]}}, "'dependencies'"),
        ({"type": "object", "unevaluatedProperties": False}, "'unevaluatedProperties'"),
        ({"type": "array", "unevaluatedItems": False}, "'unevaluatedItems'"),
        ({"type": "object", "propertyNames": {"maxLength": 3}}, "'propertyNames'"),
        ({"type": "object", "properties": {"a": {}}, "propertyNames": {"pattern": "a"}}, "'propertyNames'"),
        ({"type": "object", "minProperties": 2}, "'minProperties'"),
        ({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "minProperties": 2}, "'minProperties'"),
        ({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 2}, "'maxProperties'"),
        ({"type": "object", "patternProperties": {"a": {}, "b": {}}}, "'patternProperties' must not overlap"),
        ({"type": "object", "patternProperties": {"[0-9]": {}, "\\d": {}}}, "'patternProperties'"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "'oneOf'"),
        # The first is open: a value of the second fits it as well.
        ({"oneOf": [{"properties": {"a": {}}}, {"properties": {"k": {}}, "required": ["k"]}]}, "'oneOf'"),
        # A number fits the second, which says something of strings only.
        ({"oneOf": [{"minimum": 3}, {"pattern": "a"}]}, "'oneOf'"),
        ({"type": "string", "format": "regex"}, "'format' is 'regex'; supported are"),
        ({"type": "string", "format": ["date"]}, "'format'"),
        ({"type": "string", "pattern": "(?=a)"}, "'pattern' '(?=a)' looks ahead"),
        ({"type": "string", "pattern": 1}, "'pattern' must be text"),
        ({"type": "number", "multipleOf": 0.1}, "'multipleOf' is 0.1"),
        ({"type": "integer", "multipleOf": 0}, "'multipleOf' is 0"),
        ({"type": "integer", "multipleOf": 10**6}, "'multipleOf' is 1000000, the limit is 1000"),
        ({"type": "integer", "minimum": 2**60}, "'minimum' holds 1152921504606846976, the limit is"),
        (
            {"type": "number", "minimum": 0.12345678901234567},
            "which has more than 15 digits",
        ),
        ({"minimum": "3"}, "'minimum' must be a number"),
        ({"type": "number", "maximum": float("nan")}, "'maximum'"),
        ({"const": 2**53 + 1}, "'const'"),
        ({"const": 0.12345678901234567}, "'const'"),
        ({"enum": ["a", "\x01"]}, "'enum' holds the control character"),
        ({"enum": []}, "'enum' must not be empty"),
        ({"enum": "ab"}, "'enum' must be a list"),
        ({"type": "string", "enum": [1]}, "'enum' holds no value of the type"),
        ({"type": "strin"}, "'type' is 'strin'; types are null,"),
        ({"type": []}, "'type'"),
        ({"type": "string", "minLength": -1}, "'minLength' must be a whole number"),
        ({"type": "string", "minLength": 10**9}, "'minLength' is 1000000000, the limit is 1000000"),
        ({"type": "string", "minLength": True}, "'minLength'"),
        ({"type": "array", "maxItems": 1.5}, "'maxItems'"),
        ({"type": "string", "minLength": 10**50}, "'minLength' is a number of more than 40 digits"),
        ({"type": "string", "minLength": 10**5000}, "Exceeds the limit"),
        ({"properties": []}, "'properties' must be an object"),
        ({"properties": {"a": 3}}, "a schema is an object, true or false, not int (at #/properties/a)"),
        ({"type": "object", "required": "a"}, "'required' must be a list"),
        ({"type": "object", "required": [1]}, "'required' must list names"),
        ({"anyOf": []}, "'anyOf' must not be empty"),
        ({"allOf": {}}, "'allOf' must be a list"),
        ({"$ref": "https://example.com/s.json"}, "'$ref' is 'https://example.com/s.json', which is never fetched"),
        ({"$ref": "other.json#/a"}, "never fetched"),
        ({"$ref": "#name", "$defs": {"a": {"$anchor": "name"}}}, "anchors are not supported"),
        ({"$ref": "#/$defs/absent"}, "'$ref' is '#/$defs/absent', which leads nowhere"),
        ({"$ref": 3}, "'$ref' must be text"),
        ({"$dynamicRef": "#x"}, "'$dynamicRef'"),
        ({"$defs": {"a": {"$id": "http://x/"}}, "$ref": "#/$defs/a"}, "'$id'"),
        ({"$ref": "#"}, "'$ref' leads back to itself (at #)"),
        (
            {"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
            "leads back to itself",
        ),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "no value ever ends"),
        (
            {
                "properties": {"a": {"$ref": "#/$defs/a"}},
                "$defs": {"a": {"items": {"$ref": "#/$defs/a"}, "minItems": 1}},
            },
            "no value ever ends: it is 'required' within itself (at #/$defs/a)",
        ),
        (False, "it allows no value"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "no value can validate: incompatible types"),
        (
            {"type": "integer", "minimum": 3, "maximum": 2},
            "no value can validate: minimum (3) is greater than maximum (2)",
        ),
        ({"type": "string", "pattern": "^a$", "minLength": 2}, "no value can validate"),
        ({"properties": {"a\ud800": {}}}, "half of a surrogate pair"),
        ({"properties": {"deep": {"items": {"not": {}}}}}, "'not' is not supported (at #/properties/deep/items)"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_followed_is_refused_by_name(schema: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        grammar_of(schema)
    assert words in caught.value.message
    assert caught.value.param == PARAM


def nested(depth: int) -> Any:
    schema: Any = {"type": "null"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def chain(length: int) -> Any:
    links = [{"type": "array", "items": {"$ref": f"#/$defs/{i + 1}"}} for i in range(length)]
    return {"$ref": "#/$defs/0", "$defs": {str(i): link for i, link in enumerate([*links, {}])}}


def alternatives(num: int) -> Any:
    """Definitions that stand for all that follow them: llguidance's time grows with the fifth power of their number."""
    each: dict[str, Any] = {
        f"d{i}": {"anyOf": [*({"$ref": f"#/$defs/d{k}"} for k in range(i + 1, num)), True]} for i in range(num)
    }
    return {"$ref": "#/$defs/d0", "$defs": each}


def named(num: int) -> dict[str, Any]:
    return {f"k{i}": {} for i in range(num)}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": ["x" * 100] * 1000}, "bytes, the limit is 100000"),
        (nested(60), "nested more than 40 deep"),
        (nested(3000), "nested"),
        (chain(300), "or 100 with what '$ref' leads to"),
        (alternatives(48), "more than 1000 references"),
        ({"properties": named(501)}, "'properties' names 501 properties, the limit is 500"),
        ({"anyOf": [{}] * 5001}, "made of more than 5000 schemas"),
        (
            {"patternProperties": {f"^{i}_": {} for i in range(17)}},
            "'patternProperties' has 17 patterns, the limit is 16",
        ),
        ({"oneOf": [{"const": i} for i in range(101)]}, "'oneOf' has 101 schemas, the limit is 100"),
        ({"allOf": [{"pattern": f".*a{i}.{{{i}}}"} for i in range(24)]}, "more than 2 of 'pattern' and 'format' meet"),
        ({"allOf": [{"anyOf": [{"properties": named(i + k)} for i in range(6)]} for k in range(5)]}, "multiply"),
        ({"type": "string", "pattern": "(a{1000}){1000}"}, "the limit is 2000"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_costly_schema_is_refused_with_its_size_and_the_limit(schema: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        grammar_of(schema)
    assert words in caught.value.message


@pytest.mark.parametrize(
    "schema",
    [
        nested(40),
        chain(45),
        alternatives(40),
        {"properties": named(500)},
        {"enum": list(range(5000))},
        {"type": "array", "maxItems": 10**12, "minItems": 10**6},
        {"oneOf": [{"properties": {"k": {"const": i}, **named(9)}, "required": ["k"]} for i in range(100)]},
        {"type": "integer", "multipleOf": 997},
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_within_the_limits_is_followed(schema: Any) -> None:
    assert begins(grammar_of(schema), "")


def test_there_is_one_way_to_write_a_value() -> None:
    grammar = grammar_of({"properties": {"a": {}, "b": {"type": "array"}}, "additionalProperties": True})
    assert accepts(grammar, '{"a": 1, "b": [1, 2]}')
    for text in ['{"a":1}', '{"a": 1,"b": []}', '{ "a": 1}', '{"a": 1 }', '{"a": 1}\n', ' {"a": 1}', '{"b": [1,2]}']:
        assert not accepts(grammar, text)
    # By way of an escape a name could come a second time, and what is read would not be what was checked.
    assert not begins(grammar, '{"a": 1, "\\u0061')
    assert not begins(grammar, '{"a": 1, "a"')


def test_the_clients_own_options_for_the_library_have_no_effect() -> None:
    schema = {"type": "integer", "x-guidance": {"lenient": True, "whitespace_flexible": True}}
    assert not begins(grammar_of(schema), " ")


def test_any_object_is_an_object() -> None:
    grammar = json_object_grammar()
    assert accepts(grammar, '{"a": [1, {"好": null}], "b": -1.5e3}')
    assert not begins(grammar, "[")
    for seed in range(50):
        assert isinstance(json.loads(random_answer(grammar, seed)), dict)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: Annotated[float, Field(gt=0)]


class Square(BaseModel):
    kind: Literal["square"]
    side: Annotated[int, Field(ge=1, le=9)] = 1
    colour: Colour | None = None


class Tree(BaseModel):
    """Nested, recursive, with unions, enums, maps, tuples and a discriminator."""

    name: Annotated[str, Field(min_length=1, max_length=8)]
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    children: list["Tree"] = []
    scores: dict[str, int]
    pair: tuple[int, str]
    other: int | str | None


@pytest.mark.parametrize("seed", range(20))
def test_pydantics_schemas_give_what_pydantic_reads(seed: int) -> None:
    Tree.model_validate_json(random_answer(grammar_of(Tree.model_json_schema()), seed))


def test_openais_strict_schemas_are_followed() -> None:
    """The shape that OpenAI's guide gives for strict mode: closed, all required, nullable by type, recursive by '#'."""
    schema = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "description": "The type of the component", "enum": ["div", "button"]},
            "label": {"type": ["string", "null"], "description": "May be null"},
            "children": {"type": "array", "items": {"$ref": "#"}},
            "attributes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                    "required": ["name", "value"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["type", "label", "children", "attributes"],
        "additionalProperties": False,
    }
    grammar = grammar_of(schema)
    leaf = {"type": "button", "label": None, "children": [], "attributes": [{"name": "id", "value": "x"}]}
    assert accepts(grammar, written({**leaf, "type": "div", "children": [leaf, leaf]}))
    for seed in range(20):
        assert validates(schema, json.loads(random_answer(grammar, seed)))


def test_an_embedded_schema_is_the_same_schema() -> None:
    inner = embedded_schema(
        {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"const": "%json"}}}, param=PARAM
    )
    grammar = f'start: "<" %json {inner} ">"'
    assert accepts(grammar, '<{"a": "%json"}>')
    assert not accepts(grammar, '<{"b": 1}>')
