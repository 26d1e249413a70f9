"""What is written for a format is read by those who define it: Python's own parsers and pydantic's."""

import datetime
import ipaddress
import json
import re
import uuid
from typing import Any

import pydantic
import pytest
from grammar_walker import accepts, random_answer

from autoglm_phone.text.grammar import json_schema_grammar

READERS: dict[str, Any] = {
    "date": datetime.date,
    "time": datetime.time,
    "date-time": datetime.datetime,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "uuid1": pydantic.UUID1,
    "uuid4": pydantic.UUID4,
    "uuid7": pydantic.UUID7,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uri": pydantic.AnyUrl,
    "byte": pydantic.Base64Bytes,
}


def grammar_of(name: str) -> str:
    return json_schema_grammar({"type": "string", "format": name}, param="schema")


@pytest.mark.parametrize("name", READERS)
def test_its_reader_reads_it(name: str) -> None:
    reader = pydantic.TypeAdapter(READERS[name])
    grammar = grammar_of(name)
    for seed in range(60):
        text = json.loads(random_answer(grammar, seed, patience=80))
        assert reader.validate_python(text) is not None, text


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2000-02-29 2024-02-29 2023-12-31 1999-04-30", "1900-02-29 2023-02-29 2023-04-31 0000-01-01 2023-1-1"),
        ("time", "23:59:59Z 00:00:00.5+05:30 12:00:00-11:00", "24:00:00Z 23:59:60Z 12:00:00 12:00Z"),
        ("date-time", "2024-02-29T12:00:00Z 2023-01-01T00:00:00.123456+08:00", "2023-02-29T12:00:00Z 2023-01-01"),
        ("duration", "P1D PT5M P1Y2M3DT4H5M6S P3W", "P PT 1D P1D2W P1YT"),
        ("email", "a@b.co x.y+z@mail.example.com", "a a@b @b.co a..b@c.de .a@b.co a@b..co a@-b.co"),
        ("hostname", "localhost a.b-c.example", "-a a- a..b a_b a--b"),
        ("ipv4", "0.0.0.0 255.255.255.255 10.1.2.3", "256.1.1.1 1.2.3 01.2.3.4"),
        ("ipv6", ":: ::1 1:2:3:4:5:6:7:8 fe80::1:2", "1:2:3 ::1::2 1:2:3:4:5:6:7:8:9 g::"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("uri", "https://example.com/a?b=c#d mailto:a@b.co urn:isbn:1", "example.com //a https://a|b"),
        ("uri-reference", "https://a.b", "a/b"),
        ("iri", "https://a.b", "https://好"),
        ("idn-email", "a@b.co", "好@b.co"),
        ("idn-hostname", "a.b", "好.b"),
        ("json-pointer", "/a/0/~0~1 /", "a /~2"),
        ("byte", "YQ== YWI= YWJj", "YQ YQ= Y"),
        ("password", "anything", ""),
        ("path", "/tmp/a", ""),
        ("binary", "x", ""),
    ],
)
def test_what_belongs_to_a_format(name: str, good: str, bad: str) -> None:
    grammar = grammar_of(name)
    assert [text for text in good.split() if not accepts(grammar, json.dumps(text))] == []
    assert [text for text in bad.split() if accepts(grammar, json.dumps(text, ensure_ascii=False))] == []


def test_a_hostname_keeps_to_its_lengths() -> None:
    for seed in range(100):
        name = json.loads(random_answer(grammar_of("hostname"), seed, patience=500))
        assert len(name) <= 253
        assert all(re.fullmatch("[A-Za-z0-9-]{1,63}", label) for label in name.split("."))
