import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.form_body import MAX_FIELD_BYTES, MAX_FIELDS, Form, parse_form

KIND = "multipart/form-data; boundary=border"


def part(disposition: str, data: bytes = b"x") -> bytes:
    return f"--border\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + data + b"\r\n"


END = b"--border--\r\n"
WHOLE = part('name="file"; filename="a.wav"', b"RIFF\r\n--bord\x00") + part('name="prompt"', "字".encode()) + END


def parsed(*chunks: bytes, kind: str = KIND) -> Form:
    async def body() -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk

    headers = Headers({"content-type": kind} if kind else {})
    return asyncio.run(parse_form(headers, body()))


def test_fields_and_the_file() -> None:
    assert parsed(WHOLE) == Form({"prompt": ["字"]}, {"file": b"RIFF\r\n--bord\x00"})


@given(st.lists(st.integers(0, len(WHOLE)), max_size=5))
def test_however_the_body_is_cut(cuts: Sequence[int]) -> None:
    borders = [0, *sorted(cuts), len(WHOLE)]
    pieces = [WHOLE[start:end] for start, end in itertools.pairwise(borders)]
    assert parsed(*pieces) == parsed(WHOLE)


def test_a_name_may_stand_twice() -> None:
    assert parsed(part('name="a[]"', b"1") + part('name="a[]"', b"2") + END).fields == {"a[]": ["1", "2"]}


def test_a_large_file_stays_whole_and_does_not_hold_up_the_loop() -> None:
    data = random.Random(0).randbytes(3 << 20)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def body() -> AsyncGenerator[bytes, None]:
        yield part('name="file"; filename="a.wav"', data) + END

    async def test() -> Form:
        turning = asyncio.create_task(turn())
        try:
            return await parse_form(Headers({"content-type": KIND}), body())
        finally:
            turning.cancel()

    assert asyncio.run(test()).files == {"file": data}
    assert turns > 40


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("", "not as bytes without a content-type"),
        ("application/json", "multipart/form-data, not as application/json"),
        ("application/x-www-form-urlencoded", "not as application/x-www-form-urlencoded"),
        ("multipart/form-data", "names no boundary"),
        ('multipart/form-data; boundary=""', "names no boundary"),
        (f"multipart/form-data; boundary={'x' * 1000}", "malformed form"),
        ("multipart/form-data; boundary=other", "malformed form"),
    ],
)
def test_other_bodies_are_refused(kind: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parsed(WHOLE, kind=kind)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (part('name="a"; filename="1"') + part('name="b"; filename="2"') + END, "more than one file"),
        (part('name="a"') * (MAX_FIELDS + 1) + END, "more than 64 fields"),
        (part('name="a"', b"x" * (MAX_FIELD_BYTES + 1)) + END, "`a`: longer than the limit of 65536 bytes"),
        (part('filename="a"') + END, "without a name"),
        (b"--border\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END, "without a name"),
        (part('name="a"', b"\xff\xfe") + END, "`a`: not UTF-8"),
        (b"--border\r\n" + b"a: b\r\n" * 100, "malformed form"),
        (b"--border\r\n" + b"a" * 100_000, "malformed form"),
        (b"nonsense", "malformed form"),
        (b"", "ends before its last boundary"),
        (WHOLE[:80], "ends before its last boundary"),
        (WHOLE[: -len(END)], "ends before its last boundary"),
    ],
)
def test_malformed_forms_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parsed(body)


@given(st.data())
def test_any_bytes_are_a_form_or_a_refusal(data: st.DataObject) -> None:
    body = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 4))
        body[place : place + length] = data.draw(
            st.sampled_from([b"", b"\r\n", b"--", b'"', b";", b"\x00", b"\xff", b"--border", b"filename*=utf-8''%ff"])
        )
    with contextlib.suppress(InvalidRequest):
        parsed(bytes(body))
