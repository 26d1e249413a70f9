"""The directory of tensors against files that the `safetensors` package writes, and damaged and hostile ones."""

import json
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.safetensors_file import ITEM_BYTES, MAX_HEADER_BYTES, read_safetensors

safetensors = pytest.importorskip("safetensors.numpy", reason="pip install safetensors")
hostile = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

TENSORS: dict[str, np.ndarray[Any, Any]] = {
    "model.a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "model.b": np.arange(2 * 3 * 5, dtype=np.float16).reshape(2, 3, 5),
    "alone": np.array(7, np.int64),
}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("safetensors") / "valid.safetensors"
    safetensors.save_file(TENSORS, path, {"format": "pt"})
    return path.read_bytes()


def test_tensors_are_found_as_they_were_written(tmp_path: Path, valid: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(valid)
    found = read_safetensors(path)
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in found.items()} == {
        "model.a": ("F32", (3, 4)),
        "model.b": ("F16", (2, 3, 5)),
        "alone": ("I64", ()),
    }
    for name, tensor in found.items():
        assert tensor.data().tobytes() == TENSORS[name].tobytes()
        assert not tensor.data().flags.writeable
    assert found["model.b"].data(2, 4).tobytes() == TENSORS["model.b"].reshape(6, 5)[2:4].tobytes()


def test_every_dtype_has_its_size() -> None:
    for name, size in ITEM_BYTES.items():
        digits = "".join(filter(str.isdigit, name.split("_")[0]))
        assert size == int(digits or 8) // 8


@hostile
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, valid: bytes, data: st.DataObject) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(valid[: data.draw(st.integers(0, len(valid) - 1))])
    with pytest.raises(BundleError, match=r"cut\.safetensors"):
        read_safetensors(path)


@settings(hostile, max_examples=500)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 2**16),
            st.binary(min_size=1, max_size=8)
            | st.sampled_from([b"\0" * 8, b"\xff" * 8, b"[[[[", b"1e999", b"9" * 8, b'"', b"-1", b"}"]),
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
    path = tmp_path / "changed.safetensors"
    path.write_bytes(damaged)
    try:
        found = read_safetensors(path)
    except BundleError:
        return
    for tensor in found.values():
        assert tensor.data().tobytes() == damaged[tensor.offset : tensor.offset + tensor.size_bytes]


def file_of(header: Any, data: int = 64) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


def tensor(shape: list[Any], start: Any, end: Any, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the length of the header|the header"),
        (struct.pack("<Q", 2**63) + b"{}", "the length of the header"),
        (struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{}" + bytes(MAX_HEADER_BYTES), "the length of the header"),
        (file_of(b"{" * 100_000), "the header"),
        (file_of(b'{"t": ' + b"[" * 100_000), "the header"),
        (file_of(b"{\xff\xff"), "the header"),
        (file_of(b'{"t": ' + b"[" * 400 + b"]" * 400 + b"}"), "tensor 't'"),
        (file_of({"t": [1]}), "tensor 't'"),
        (file_of({"t": {"dtype": "F32", "shape": [16]}}), "tensor 't'.*data_offsets"),
        (file_of({"t": tensor([16], 0, 64) | {"more": 1}}), "tensor 't'.*more"),
        (file_of({"t": tensor([16], -1, 64)}), "tensor 't'.*data_offsets"),
        (file_of({"t": tensor([16], 0, 2**64)}), "tensor 't'.*data_offsets"),
        (file_of({"t": tensor(["16"], 0, 64)}), "tensor 't'.*shape"),
        (file_of({"t": tensor([1.5], 0, 64)}), "tensor 't'.*shape"),
        (file_of({"t": tensor([1] * 9, 0, 4)}), "tensor 't'.*shape"),
        (file_of({"t": tensor([16, 0], 0, 0)}), "the shape of tensor 't'.*zero"),
        (file_of({"t": tensor([2**62, 4], 0, 0)}), "the offsets of tensor 't'"),  # 2**66 bytes: 0 in 64 bits
        (file_of({"t": tensor([16], 0, 60)}), "the offsets of tensor 't'"),
        (file_of({"t": tensor([32], 0, 128)}), "the offsets of tensor 't'.*past"),
        (file_of({"t": tensor([15], 4, 64)}), "the offsets of tensor 't'.*begin"),
        (file_of({"t": tensor([8], 0, 32)}), "the offsets: the last 32 bytes"),
        (file_of({"a": tensor([8], 0, 32), "b": tensor([8], 0, 32)}), "the offsets of tensor 'b'"),
        (file_of({"t": tensor([16], 0, 64, "Q4")}), "the dtype of tensor 't'.*'Q4'"),
        (file_of({"": tensor([16], 0, 64)}), "the name of a tensor"),
        (file_of({"n" * 513: tensor([16], 0, 64)}), "the name of a tensor"),
    ],
)
def test_a_hostile_header_is_refused_by_the_name_of_its_field(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"hostile\.safetensors is damaged at ({said})"):
        read_safetensors(path)


def test_a_name_that_occurs_twice_leaves_bytes_that_are_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "twice.safetensors"
    entry = json.dumps(tensor([8], 0, 32)), json.dumps(tensor([8], 32, 64))
    path.write_bytes(file_of(f'{{"t": {entry[0]}, "t": {entry[1]}}}'.encode()))
    with pytest.raises(BundleError, match="the offsets of tensor 't'"):
        read_safetensors(path)


def test_what_is_no_such_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "pickle.safetensors").write_bytes(file_of(b"\x80\x02}"))
    with pytest.raises(BundleError, match="is not a safetensors file"):
        read_safetensors(tmp_path / "pickle.safetensors")
    os.mkfifo(tmp_path / "pipe.safetensors")  # opening it would wait for ever
    with pytest.raises(BundleError, match=r"pipe\.safetensors is not a file"):
        read_safetensors(tmp_path / "pipe.safetensors")
    with pytest.raises(BundleError, match=r"gone\.safetensors cannot be read"):
        read_safetensors(tmp_path / "gone.safetensors")


def test_a_header_that_promises_much_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    path.write_bytes(file_of({"t": tensor([2**40, 2**20], 0, 2**62)}))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            read_safetensors(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_cut_after_it_was_checked_is_named(tmp_path: Path, valid: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(valid)
    found = read_safetensors(path)
    path.write_bytes(b"")
    with pytest.raises(BundleError, match=r"m\.safetensors cannot be read at tensor 'alone'"):
        found["alone"].data()
