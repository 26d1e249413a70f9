"""What stands behind a keyword of a JSON schema, if it is what the keyword takes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
ABOUT = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "array": ("items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"),
    "object": (
        *("properties", "patternProperties", "additionalProperties", "propertyNames"),
        *("required", "minProperties", "maxProperties"),
    ),
}
MAX_NUMBER = 2**53 - 1  # llguidance reads the numbers of a schema as doubles
MAX_DIGITS = 15  # and decimals that have more of them inexactly
MAX_SIZE = 1_000_000

Schema = Mapping[str, Any]


class UnsupportedKeyword(Exception):
    """A keyword that cannot be kept to; the reason goes on from its name."""

    def __init__(self, keyword: str, reason: str) -> None:
        super().__init__(f"'{keyword}' {reason}")


def mapping(schema: Schema, keyword: str) -> Mapping[str, Any]:
    value = schema.get(keyword, {})
    if not isinstance(value, Mapping):
        raise UnsupportedKeyword(keyword, f"must be an object, not {shown(value)}")
    return value


def sequence(schema: Schema, keyword: str) -> Sequence[Any]:
    value = schema.get(keyword, [])
    if not isinstance(value, list | tuple):
        raise UnsupportedKeyword(keyword, f"must be a list, not {shown(value)}")
    if keyword in schema and not value and keyword in ("allOf", "anyOf", "oneOf", "enum"):
        raise UnsupportedKeyword(keyword, "must not be empty")
    return value


def names(schema: Schema, keyword: str) -> Sequence[str]:
    values = sequence(schema, keyword)
    if not all(isinstance(value, str) for value in values):
        raise UnsupportedKeyword(keyword, f"must list names, not {shown(values)}")
    return values


def types(schema: Schema) -> list[str] | None:
    """The types that a schema states."""
    if "type" not in schema:
        return None
    stated = schema["type"]
    listed = [stated] if isinstance(stated, str) else list(sequence(schema, "type"))
    wrong = [name for name in listed if name not in TYPES]
    if wrong or not listed:
        raise UnsupportedKeyword("type", f"is {shown(stated)}; types are {', '.join(TYPES)}")
    return [name for name in dict.fromkeys(listed) if name != "integer" or "number" not in listed]


def types_meant(schema: Schema) -> list[str]:
    """The types that its keywords are about: what a schema without `type` is taken to mean."""
    return [name for name, keywords in ABOUT.items() if any(keyword in schema for keyword in keywords)]


def number(value: Any, keyword: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnsupportedKeyword(keyword, f"must be a number, not {shown(value)}")
    if not abs(value) <= MAX_NUMBER:  # this way round it holds for NaN too
        raise UnsupportedKeyword(keyword, f"holds {shown(value)}, the limit is {MAX_NUMBER}")
    digits = Decimal(repr(value)).as_tuple()
    if not float(value).is_integer() and (len(digits.digits) > MAX_DIGITS or int(digits.exponent) < -22):
        raise UnsupportedKeyword(keyword, f"holds {value}, which has more than {MAX_DIGITS} digits; round it")
    return float(value)


def sizes(schema: Schema, of: str) -> dict[str, int]:
    """minItems and maxItems, and their like. An upper limit beyond what anyone writes is lowered."""
    found = {}
    for keyword in (f"min{of}", f"max{of}"):
        if keyword not in schema:
            continue
        value = schema[keyword]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or value < 0 or (isinstance(value, float) and not value.is_integer()):
            raise UnsupportedKeyword(keyword, f"must be a whole number from 0, not {shown(value)}")
        if value > MAX_SIZE and keyword.startswith("min"):
            raise UnsupportedKeyword(keyword, f"is {shown(value)}, the limit is {MAX_SIZE}")
        found[keyword] = int(min(value, MAX_SIZE))
    return found


def shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**40:
        return "a number of more than 40 digits"  # which Python may refuse to print
    text = repr(value) if not isinstance(value, Mapping) else "an object"
    return text if len(text) <= 80 else f"{text[:77]}..."
