import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_services import House, asked

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.json_body import parse_object

HOSTILE = [
    b"",
    b"{",
    b"nope",
    b"null",
    b"[]",
    b'"text"',
    b'{"a": 1, "a": 2}',
    b'{"a": {"b": 1, "b": 1}}',
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": [1e400]}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": "\\ud800"}',
    b'{"\\udfff": 1}',
    b'{"a": "\xff"}',
    b'\xef\xbb\xbf{"a": 1}',
    '{"a": 1}'.encode("utf-16"),
    b'{"a": "\x00"}',
    b'{"a":' + b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a": 1} trailing',
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:24]))
def test_what_is_not_one_clear_json_object_is_a_fault_of_the_client(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_object(body)
    response = House().post(body)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    numbers = parse_object(b'{"a": [1.0, 1e2, -0.0, 1.5, 1e300]}')["a"]
    assert numbers == [1, 100, 0, 1.5, 1e300]
    assert [type(number) for number in numbers] == [int, int, int, float, float]
    assert House().post({**asked(), "max_tokens": 5.0}).status_code == 200


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans()))
def test_json_comes_through(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value


@given(st.binary() | st.binary().map(lambda inner: b'{"messages": ' + inner + b"}"))
def test_any_bytes_are_json_or_a_fault_of_the_client(body: bytes) -> None:
    with suppress(InvalidRequest):
        parse_object(body)
