"""Random JSON schemas of all that is followed, for the tests to walk through."""

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any] | bool

small = st.integers(0, 3)
names = st.sampled_from(["a", "b", "kind", "x_1", "", "名", 'q"\\\n', "a b"])
texts = st.sampled_from(["", "a", "b", "好", 'say "hi"\n', "\\", "/", "😀", "0"])
patterns = st.sampled_from(
    [
        "^a+$",
        "^[^\\d\\s]{1,3}$",
        "^\\w+\\s?$",
        "^(?:a|bc)*$",
        "^\\D\\S$",
        "^.$",
        "^[\\W_]{2}$",
        "^\\$[0-9]+(\\.[0-9]{2})?$",
    ]
)
formats = st.sampled_from(["date", "time", "date-time", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "duration"])
constants = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, -1.25, 1e-7, 2.0]) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=3,
)


def optional(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keywords)


bounds = st.integers(-20, 20) | st.sampled_from([0.5, -3.25, 1e-3])
numbers = optional(
    minimum=bounds,
    maximum=bounds,
    exclusiveMinimum=bounds,
    exclusiveMaximum=bounds,
    multipleOf=st.sampled_from([2, 7, 0.5]),
).flatmap(lambda keywords: st.sampled_from(["integer", "number"]).map(lambda name: {"type": name, **keywords}))
strings = optional(minLength=small, maxLength=st.integers(2, 5), pattern=patterns).map(
    lambda keywords: {"type": "string", **keywords}
)
leaves = st.one_of(
    st.booleans(),
    st.just({}),
    st.sampled_from([{"type": "null"}, {"type": "boolean"}, {"type": ["string", "null"]}]),
    numbers,
    strings,
    formats.map(lambda name: {"type": "string", "format": name}),
    st.lists(constants, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    constants.map(lambda value: {"const": value}),
    st.sampled_from(["one", "two"]).map(lambda name: {"$ref": f"#/$defs/{name}"}),
)


def arrays(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[dict[str, Any]]:
    keywords = optional(
        items=inner, prefixItems=st.lists(inner, max_size=2), minItems=small, maxItems=st.integers(1, 4)
    )
    return keywords.map(lambda found: {"type": "array", **found})


def records(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects as people write them."""
    properties = st.dictionaries(names, inner, min_size=1, max_size=4)
    return st.builds(
        lambda found, required, more: (
            {"type": "object", "properties": found, **more}
            | ({"required": [name for name in required if name in found]} if required else {})
        ),
        properties,
        st.lists(names, max_size=4, unique=True),
        optional(additionalProperties=inner, title=st.just("Record")),
    )


def objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[dict[str, Any]]:
    return optional(
        type=st.just("object"),
        properties=st.dictionaries(names, inner, max_size=2),
        required=st.lists(names, max_size=2, unique=True),
        additionalProperties=inner,
        patternProperties=st.dictionaries(st.sampled_from(["^x_", "^[0-9]+$"]), inner, max_size=1),
        minProperties=st.integers(0, 1),
        maxProperties=small,
    )


def unions(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.lists(inner, min_size=1, max_size=3)
    # All but the kind may fit several; the kind tells them apart.
    kinds = st.lists(records(inner), min_size=2, max_size=3).map(
        lambda found: {
            "oneOf": [
                {**schema, "required": ["kind"], "properties": schema["properties"] | {"kind": {"const": index}}}
                for index, schema in enumerate(found)
            ]
        }
    )
    together = st.lists(records(inner) | objects(inner), min_size=2, max_size=3).map(lambda found: {"allOf": found})
    mixed = st.builds(lambda first, second: {**first, **second}, records(inner), optional(allOf=members, anyOf=members))
    plain = optional(anyOf=members, oneOf=st.lists(inner, min_size=1, max_size=2))
    return plain | kinds | together | mixed


within = st.recursive(
    leaves, lambda inner: arrays(inner) | records(inner) | objects(inner) | unions(inner), max_leaves=10
)
schemas = st.builds(
    lambda root, one, two: {**root, "$defs": {"one": one, "two": two}},
    arrays(within) | records(within) | objects(within) | unions(within),
    within,
    within,
)
