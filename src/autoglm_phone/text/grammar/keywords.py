"""Numbers, strings and constants of a JSON schema, brought to what llguidance keeps exactly."""

import math
from collections.abc import Mapping
from typing import Any

from autoglm_phone.text.grammar.formats import ANY_STRING, BUILT_IN, PATTERNS, SAME_AS
from autoglm_phone.text.grammar.keyword_values import MAX_NUMBER, Schema, UnsupportedKeyword, number, shown, sizes
from autoglm_phone.text.grammar.regex_dialect import PatternError, is_writable, to_rust

MAX_MULTIPLE = 1_000  # the matcher has a state for each remainder: at a million it takes 5 s and 300 MB


def number_schema(schema: Schema, *, is_integer: bool) -> dict[str, Any]:
    """A multiple of a whole number becomes an integer, since decimals of many digits are rounded when read."""
    bounds = _bounds(schema)
    if "multipleOf" not in schema:
        return {"type": "integer", **_whole(bounds)} if is_integer else {"type": "number", **bounds}
    step = number(schema["multipleOf"], "multipleOf")
    if step <= 0 or not (step.is_integer() or math.frexp(step)[0] == 0.5):
        reason = f"is {shown(schema['multipleOf'])}, which doubles cannot tell; use a whole number or 1/2, 1/4, ..."
        raise UnsupportedKeyword("multipleOf", reason)
    if not 1 / MAX_MULTIPLE <= step <= MAX_MULTIPLE:
        raise UnsupportedKeyword("multipleOf", f"is {shown(schema['multipleOf'])}, the limit is {MAX_MULTIPLE}")
    if step.is_integer():
        return {"type": "integer", **_whole(bounds), "multipleOf": int(step)}
    return {"type": "integer", **_whole(bounds)} if is_integer else {"type": "number", **bounds, "multipleOf": step}


def string_schemas(schema: Schema) -> list[dict[str, Any]]:
    """What a string must be, all of it: one schema, or two where there is a format besides other keywords."""
    plain: dict[str, Any] = {"type": "string", **sizes(schema, "Length")}
    if "pattern" in schema:
        plain["pattern"] = search_pattern(schema["pattern"], "pattern")
    formatted = _format(schema["format"]) if "format" in schema else None
    if formatted is None:
        return [plain]
    return [plain, formatted] if len(plain) > 1 else [formatted]


def search_pattern(pattern: Any, keyword: str) -> str:
    if not isinstance(pattern, str):
        raise UnsupportedKeyword(keyword, f"must be text, not {shown(pattern)}")
    try:
        return to_rust(pattern)
    except PatternError as error:
        raise UnsupportedKeyword(keyword, f"{shown(pattern)} {error}") from error


def constant(value: Any, keyword: str) -> Any:
    """The value, if it can be written as it is."""
    match value:
        case str():
            wrong = next((char for char in value if not is_writable(char)), None)
            if wrong is not None:
                raise UnsupportedKeyword(keyword, f"holds the control character {wrong!r}, which is never written")
        case bool():
            pass
        case int() | float():
            return plain(number(value, keyword))
        case list():
            return [constant(item, keyword) for item in value]
        case dict():
            return {constant(name, keyword): constant(item, keyword) for name, item in value.items()}
    return value


def plain(value: float) -> float:
    """Whole numbers without a fraction, whose digit more llguidance would round."""
    return int(value) if value.is_integer() else value


def _format(name: Any) -> dict[str, Any] | None:
    name = SAME_AS.get(name, name) if isinstance(name, str) else shown(name)
    if name in PATTERNS:
        return {"type": "string", "pattern": f"^(?:{PATTERNS[name]})$"}
    if name in BUILT_IN:
        return {"type": "string", "format": BUILT_IN[name]}
    if name in ANY_STRING:
        return None
    known = ", ".join(sorted({*PATTERNS, *BUILT_IN, *SAME_AS, *ANY_STRING}))
    raise UnsupportedKeyword("format", f"is {shown(name)}; supported are {known}")


def _bounds(schema: Schema) -> dict[str, float]:
    bounds: dict[str, float] = {}
    for keyword, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        given = {name: schema[name] for name in (keyword, exclusive) if name in schema}
        if isinstance(given.get(exclusive), bool):  # draft 4
            is_exclusive = given.pop(exclusive)
            given = {exclusive if is_exclusive else name: value for name, value in given.items()}
        bounds |= {name: plain(_bound(value, name, sign)) for name, value in given.items()}
    return bounds


def _bound(value: Any, keyword: str, sign: int) -> float:
    """A bound beyond the numbers that doubles tell apart is drawn in."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value * sign < -MAX_NUMBER:
        return float(-MAX_NUMBER * sign)
    return number(value, keyword)


def _whole(bounds: Mapping[str, float]) -> dict[str, int]:
    low = [math.ceil(bounds["minimum"])] if "minimum" in bounds else []
    low += [math.floor(bounds["exclusiveMinimum"]) + 1] if "exclusiveMinimum" in bounds else []
    high = [math.floor(bounds["maximum"])] if "maximum" in bounds else []
    high += [math.ceil(bounds["exclusiveMaximum"]) - 1] if "exclusiveMaximum" in bounds else []
    return ({"minimum": max(low)} if low else {}) | ({"maximum": min(high)} if high else {})
