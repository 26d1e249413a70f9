"""The GGUF reader against whole, damaged and hostile files. The real one is read in tests/real."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.gguf_file import MAX_ELEMENTS, opened_header, read_metadata

STRING, ARRAY, UINT8, BOOL = 8, 9, 0, 7
hostile = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def header(*entries: bytes, version: int = 3, num_entries: int | None = None) -> bytes:
    count = len(entries) if num_entries is None else num_entries
    return b"GGUF" + struct.pack("<IQQ", version, 0, count) + b"".join(entries)


def number(key: str, kind: int, code: str, value: float) -> bytes:
    return text(key) + struct.pack(f"<I{code}", kind, value)


def array(key: str, kind: int, length: int, elements: bytes) -> bytes:
    return text(key) + struct.pack("<IIQ", ARRAY, kind, length) + elements


VALID = header(
    text("general.name") + struct.pack("<I", STRING) + text("名前"),
    number("a.u8", UINT8, "B", 255),
    number("a.i8", 1, "b", -3),
    number("a.u16", 2, "H", 65535),
    number("a.i16", 3, "h", -300),
    number("a.u32", 4, "I", 2**32 - 1),
    number("a.i32", 5, "i", -(2**31)),
    number("a.f32", 6, "f", 0.5),
    number("a.yes", BOOL, "?", True),
    number("a.no", BOOL, "?", False),
    number("a.u64", 10, "Q", 2**64 - 1),
    number("a.i64", 11, "q", -(2**63)),
    number("a.f64", 12, "d", 0.1),
    array("tokenizer.ggml.tokens", STRING, 3, text("a") + text("Ġb") + text("好")),
    array("tokenizer.ggml.token_type", 5, 3, struct.pack("<iii", 1, 3, 4)),
    array("a.flags", BOOL, 2, b"\x01\x00"),
)


def test_every_kind_of_value_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(VALID)
    assert read_metadata(tmp_path / "m.gguf") == {
        "general.name": "名前",
        "a.u8": 255,
        "a.i8": -3,
        "a.u16": 65535,
        "a.i16": -300,
        "a.u32": 2**32 - 1,
        "a.i32": -(2**31),
        "a.u64": 2**64 - 1,
        "a.i64": -(2**63),
        "a.f32": 0.5,
        "a.f64": 0.1,
        "a.yes": True,
        "a.no": False,
        "tokenizer.ggml.tokens": ["a", "Ġb", "好"],
        "tokenizer.ggml.token_type": [1, 3, 4],
        "a.flags": [True, False],
    }


TOKENS = "tokenizer.ggml.tokens"


def counted(path: Path, content: bytes, key: str = TOKENS) -> object:
    path.write_bytes(content)
    with opened_header(path) as file:
        return file.metadata(counted=(key,))


def test_a_list_of_strings_may_be_counted_instead_of_read(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(VALID)
    assert counted(tmp_path / "m.gguf", VALID) == {**read_metadata(tmp_path / "m.gguf"), TOKENS: 3}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header(number(TOKENS, UINT8, "B", 3)), "no list of strings"),
        (header(array(TOKENS, UINT8, 1, b"\x03")), "no list of strings"),
        (header(array(TOKENS, STRING, MAX_ELEMENTS + 1, b"")), "elements are more"),
        (header(array(TOKENS, STRING, MAX_ELEMENTS, text("a"))), "past the end"),
        (header(array(TOKENS, STRING, 1, struct.pack("<Q", 2**64 - 1))), "past the end"),
        (header(array(TOKENS, STRING, 2, text("a") + struct.pack("<Q", 1))), "past the end"),
    ],
)
def test_what_is_counted_is_a_list_within_the_file(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=rf"tokenizer\.ggml\.tokens.*{said}"):
        counted(tmp_path / "hostile.gguf", content)


@hostile
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(VALID[: data.draw(st.integers(0, len(VALID) - 1))])
    with pytest.raises(BundleError, match=r"cut\.gguf"):
        read_metadata(path)


@hostile
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_a_changed_file_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(VALID)
    for place, patch in changes:
        at = place % len(damaged)
        damaged[at : at + len(patch)] = patch
    path = tmp_path / "changed.gguf"
    path.write_bytes(damaged)
    try:
        values = read_metadata(path)
    except BundleError:
        return
    assert all(isinstance(key, str) for key in values)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a GGUF"),
        (b"PK\x03\x04" * 9, "not a GGUF"),
        (header(version=1), "version 1"),
        (header(version=3 << 24), "version"),  # as a big-endian file looks
        (header(num_entries=2**63), "entries cannot fit"),
        (header(struct.pack("<Q", 2**62) + b" " * 9), "the key of entry 0"),
        (header(text("k.t") + struct.pack("<I", 77)), r"k\.t.*type 77"),
        (header(text("k.s") + struct.pack("<IQ", STRING, 2**40)), r"k\.s"),
        (header(text("k.a") + struct.pack("<IIQ", ARRAY, UINT8, 2**60)), r"k\.a.*elements"),
        (header(text("k.a") + struct.pack("<IIQ", ARRAY, STRING, MAX_ELEMENTS)), r"k\.a.*past the end"),
        (header(text("k.a") + struct.pack("<IIQ", ARRAY, ARRAY, 1)), r"k\.a.*type 9"),
        (header(text("k.s") + struct.pack("<IQ", STRING, 1) + b"\xff" + b" " * 9), r"k\.s.*UTF-8"),
        (header(*[text("k.b") + struct.pack("<IB", UINT8, 1) for _ in range(2)]), "twice"),
    ],
)
def test_a_hostile_header_is_refused_by_the_name_of_its_field(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=said):
        read_metadata(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.gguf cannot be read: No such file"):
        read_metadata(tmp_path / "none.gguf")
