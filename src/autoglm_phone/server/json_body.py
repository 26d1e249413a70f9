"""Bytes of a request to a JSON object, strictly. What two readers could understand differently is refused."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from autoglm_phone.core.errors import InvalidRequest

_EXACT_INTEGERS = 2**53
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(body: bytes) -> dict[str, Any]:
    """Raises InvalidRequest for anything but one JSON object in UTF-8 (RFC 8259), without NaN, doubled names,
    lone surrogates, or nesting and numbers beyond what can be handled."""
    if not body:
        raise InvalidRequest("the body is empty; send a JSON object")
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_number, parse_constant=_refuse_constant)
        if _SURROGATE_ESCAPE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8: byte {error.start} cannot be read") from None
    except UnicodeEncodeError:
        raise InvalidRequest("the body holds half a surrogate pair, which stands for no character") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"malformed JSON: {error}") from None
    except RecursionError:
        raise InvalidRequest("malformed JSON: nested too deeply") from None
    except ValueError:  # int() refuses more digits than sys.get_int_max_str_digits()
        raise InvalidRequest("malformed JSON: a number has too many digits") from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        doubled = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise InvalidRequest(f"malformed JSON: the name {doubled[:60]!r} stands twice in one object")
    return names


def _number(text: str) -> int | float:
    """JSON has one kind of number: 1.0 is 1. What is more than a double can hold would become infinite."""
    value = float(text)
    if math.isinf(value):
        raise InvalidRequest(f"malformed JSON: the number {text[:20]} is out of range")
    return int(value) if value.is_integer() and abs(value) <= _EXACT_INTEGERS else value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"malformed JSON: {name} is not a JSON number")
