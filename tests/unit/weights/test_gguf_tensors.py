"""The directory of tensors against files that the `gguf` package writes, and against damaged and hostile ones."""

import struct
import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.gguf_tensors import MAX_TENSORS, read_tensors
from autoglm_phone.weights.gguf_types import TENSOR_TYPES

hostile = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ALIGNMENT = "general.alignment"
F32, Q8_0 = 0, 8

NUMBERS = np.arange(12, dtype=np.float32).reshape(3, 4)
QUANTISED = np.arange(2 * 3 * 68, dtype=np.uint8).reshape(2, 3, 68)  # rows of 64 numbers in Q8_0
ALONE = np.array([7], np.float16)


def written(path: Path, alignment: int | None = None) -> Path:
    writer = gguf.GGUFWriter(path, "qwen2")
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    writer.add_array("tokenizer.ggml.tokens", ["a", "好"])
    writer.add_tensor("blk.0.ffn.weight", NUMBERS)
    writer.add_tensor("experts", QUANTISED, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("alone", ALONE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("gguf") / "valid.gguf").read_bytes()


@pytest.mark.parametrize("alignment", [None, 8, 4096])
def test_tensors_are_found_as_they_were_written(tmp_path: Path, alignment: int | None) -> None:
    file = read_tensors(written(tmp_path / "m.gguf", alignment))
    assert file.metadata["general.architecture"] == "qwen2"
    assert [(e.name, e.shape, e.type.name) for e in file.entries.values()] == [
        ("blk.0.ffn.weight", (3, 4), "F32"),
        ("experts", (2, 3, 64), "Q8_0"),
        ("alone", (1,), "F16"),
    ]
    assert file.data("blk.0.ffn.weight").tobytes() == NUMBERS.tobytes()
    assert file.data("experts").shape == (6, 68)
    assert file.data("experts").tobytes() == QUANTISED.tobytes()
    assert file.data("alone").tobytes() == ALONE.tobytes()
    assert not file.data("alone").flags.writeable


def test_the_table_of_types_is_that_of_the_format() -> None:
    for number, type_ in TENSOR_TYPES.items():
        known = gguf.GGMLQuantizationType(number)
        assert (type_.name, (type_.block_len, type_.block_bytes)) == (known.name, gguf.GGML_QUANT_SIZES[known])


@hostile
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, valid: bytes, data: st.DataObject) -> None:
    path = tmp_path / "cut.gguf"
    last_byte = read_from(path, valid)  # behind it stands padding only
    path.write_bytes(valid[: data.draw(st.integers(0, last_byte - 1))])
    with pytest.raises(BundleError, match=r"cut\.gguf"):
        read_tensors(path)


def read_from(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    return max(entry.offset + entry.size_bytes for entry in read_tensors(path).entries.values())


@settings(hostile, max_examples=500)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 2**16),
            st.binary(min_size=1, max_size=8)
            | st.sampled_from([b"\0" * 8, b"\xff" * 8, struct.pack("<Q", 2**63), struct.pack("<Q", 2**32)]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_changed_file_is_read_within_its_bounds_or_refused(
    tmp_path: Path, valid: bytes, changes: list[tuple[int, bytes]]
) -> None:
    damaged = bytearray(valid)
    for place, patch in changes:
        at = place % len(valid)
        damaged[at : at + len(patch)] = patch
    path = tmp_path / "changed.gguf"
    path.write_bytes(damaged)
    try:
        file = read_tensors(path)
    except BundleError:
        return
    for name, entry in file.entries.items():
        data = file.data(name)
        assert data.size == entry.size_bytes <= len(damaged)
        assert data.tobytes() == damaged[entry.offset : entry.offset + entry.size_bytes]


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def tensor(name: bytes = b"t", shape: tuple[int, ...] = (8,), kind: int = F32, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def file_of(*tensors: bytes, num_tensors: int | None = None, alignment: bytes = b"", data: int = 256) -> bytes:
    count = len(tensors) if num_tensors is None else num_tensors
    head = b"GGUF" + struct.pack("<IQQ", 3, count, 1 if alignment else 0)
    head += text(ALIGNMENT.encode()) + alignment if alignment else b""
    head += b"".join(tensors)
    return head + bytes(-len(head) % 32 + data)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (file_of(num_tensors=2**63), "the number of tensors"),
        (file_of(num_tensors=MAX_TENSORS + 1, data=30 * MAX_TENSORS), "the number of tensors"),
        (file_of(num_tensors=2, data=60), "the name of tensor 0"),
        (file_of(tensor(b"n" * 65)), "the name of tensor 0"),
        (file_of(tensor(b"\xff")), "the name of tensor 0.*UTF-8"),
        (file_of(tensor(b"")), "the name of tensor 0.*empty"),
        (file_of(tensor(), tensor(offset=32)), "the name of tensor 1.*twice"),
        (file_of(tensor(shape=(1, 1, 1, 1, 1))), "the dimensions of tensor 't'.*5 are more"),
        (file_of(text(b"t") + struct.pack("<I", 2**32 - 1)), "the dimensions of tensor 't'"),
        (file_of(tensor(shape=(8, 0))), "the dimensions of tensor 't'.*zero"),
        (file_of(tensor(shape=(2**62, 4))), "the dimensions of tensor 't'.*take"),  # 2**66 bytes: 0 in 64 bits
        (file_of(tensor(shape=(2**63, 2, 2**63, 2))), "the dimensions of tensor 't'.*take"),
        (file_of(tensor(shape=(33,), kind=Q8_0)), "the dimensions of tensor 't'.*blocks of 32"),
        (file_of(tensor(kind=4)), "the type of tensor 't'.*4 is not known"),  # Q4_2 is gone
        (file_of(tensor(kind=2**32 - 1)), "the type of tensor 't'"),
        (file_of(tensor(offset=4)), "the offset of tensor 't'.*multiple of 32"),
        (file_of(tensor(offset=256)), "the offset of tensor 't'.*past the end"),
        (file_of(tensor(offset=2**64 - 32)), "the offset of tensor 't'.*past the end"),
        (file_of(tensor(b"a", (16,)), tensor(b"b", offset=32)), "the offset of tensor 'b'.*of tensor 'a' as well"),
        (file_of(tensor(b"a"), tensor(b"b")), "the offset of tensor 'b'"),
        (file_of(alignment=struct.pack("<II", 4, 0)), "general.alignment.*0 is no power"),
        (file_of(alignment=struct.pack("<II", 4, 48)), "general.alignment.*48"),
        (file_of(alignment=struct.pack("<IQ", 10, 2**63)), "general.alignment"),
        (file_of(alignment=struct.pack("<IB", 7, 1)), "general.alignment.*True"),
        (file_of(alignment=struct.pack("<IQ", 8, 2) + b"32"), "general.alignment.*'32'"),
    ],
)
def test_a_hostile_directory_is_refused_by_the_name_of_its_field(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"hostile\.gguf is damaged at {said}"):
        read_tensors(path)


@pytest.mark.parametrize(
    "content",
    [file_of(tensor(shape=(2**40, 2**20)), data=4096), file_of(num_tensors=MAX_TENSORS - 1, data=4096)],
)
def test_a_directory_that_promises_much_takes_no_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "large.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            read_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_tensor_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = read_tensors(written(tmp_path / "m.gguf"))
    with pytest.raises(BundleError, match=r"m\.gguf has no tensor 'blk\.1'"):
        file.data("blk.1")


def test_a_file_cut_after_it_was_checked_is_named(tmp_path: Path) -> None:
    file = read_tensors(written(tmp_path / "m.gguf"))
    (tmp_path / "m.gguf").write_bytes(b"")
    with pytest.raises(BundleError, match=r"m\.gguf cannot be read at tensor 'alone'"):
        file.data("alone")
