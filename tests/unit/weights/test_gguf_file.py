"""The GGUF reader against files the reference writer made, whole and damaged."""

import struct
from pathlib import Path

import pytest
from gguf import GGUFValueType, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.gguf_file import MAX_ELEMENTS, read_metadata

STRING, ARRAY, UINT8 = 8, 9, 0
hostile = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def header(*entries: bytes, version: int = 3, num_entries: int | None = None) -> bytes:
    count = len(entries) if num_entries is None else num_entries
    return b"GGUF" + struct.pack("<IQQ", version, 0, count) + b"".join(entries)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "valid.gguf"
    writer = GGUFWriter(path, "qwen2")
    writer.add_string("general.name", "名前")
    writer.add_uint8("a.u8", 255)
    writer.add_int8("a.i8", -3)
    writer.add_uint16("a.u16", 65535)
    writer.add_int16("a.i16", -300)
    writer.add_uint32("a.u32", 2**32 - 1)
    writer.add_int32("a.i32", -(2**31))
    writer.add_uint64("a.u64", 2**64 - 1)
    writer.add_int64("a.i64", -(2**63))
    writer.add_float32("a.f32", 0.5)
    writer.add_float64("a.f64", 0.1)
    writer.add_bool("a.yes", True)
    writer.add_bool("a.no", False)
    writer.add_token_list(["a", "Ġb", "好"])
    writer.add_token_types([1, 3, 4])
    writer.add_key_value("a.flags", [True, False], GGUFValueType.ARRAY, GGUFValueType.BOOL)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path.read_bytes()


def test_every_kind_of_value_is_read_as_it_was_written(valid: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(valid)
    assert read_metadata(tmp_path / "m.gguf") == {
        "general.architecture": "qwen2",
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


@hostile
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(valid: bytes, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(valid[: data.draw(st.integers(0, len(valid) - 1))])
    with pytest.raises(BundleError, match=r"cut\.gguf"):
        read_metadata(path)


@hostile
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_a_changed_file_is_read_or_refused(valid: bytes, tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(valid)
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
