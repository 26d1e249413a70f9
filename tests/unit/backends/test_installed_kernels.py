"""Which built kernels are used: only whole ones, of this CPU, tried with this decoder, and faster there."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from autoglm_phone.backends.llama_cpp.kernels import patch
from autoglm_phone.backends.llama_cpp.kernels.installed import NativeKernels, Record, Speed, Tried
from autoglm_phone.backends.llama_cpp.kernels.sources import prepare
from autoglm_phone.backends.llama_cpp.kernels.trial import differences
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.ids import Digest
from autoglm_phone.weights.verified import hash_file

DECODER = Digest("d" * 64)
SLOW, FAST = Speed(100.0, 60.0, 30.0, 60.0), Speed(400.0, 150.0, 29.0, 150.0)


def kernels(home: Path, model: str = "A CPU", flags: str = "avx2 avx512_vnni") -> NativeKernels:
    cpuinfo = home / "cpuinfo"
    cpuinfo.write_text(
        f"processor : 0\nmodel name\t: {model}\nflags\t\t: {flags}\n\nprocessor : 1\nmodel name\t: Other\n"
    )
    return NativeKernels(home, cpuinfo)


def installed(home: Path, tried: Tried) -> NativeKernels:
    made = kernels(home)
    made.folder.mkdir(parents=True)
    made.plugin.write_bytes(b"kernels")
    record = Record(made.cpu, hash_file(made.plugin), {DECODER: tried})
    (made.folder / "kernels.json").write_bytes(msgspec.json.encode(record))
    return made


def test_faster_kernels_are_used_for_the_decoder_that_they_were_tried_with(tmp_path: Path) -> None:
    made = installed(tmp_path, Tried(wheel=SLOW, native=FAST))
    assert made.plugin_for(DECODER) == made.plugin
    assert made.plugin_for(Digest("e" * 64)) is None


def test_slower_kernels_are_not_used(tmp_path: Path) -> None:
    assert installed(tmp_path, Tried(wheel=FAST, native=SLOW)).plugin_for(DECODER) is None


def test_nothing_is_used_where_nothing_was_built_or_it_has_changed(tmp_path: Path) -> None:
    assert kernels(tmp_path).plugin_for(DECODER) is None
    made = installed(tmp_path, Tried(wheel=SLOW, native=FAST))
    made.plugin.write_bytes(b"half of the ker")
    assert made.record() is None
    made.plugin.unlink()
    assert made.plugin_for(DECODER) is None


def test_another_cpu_has_another_folder(tmp_path: Path) -> None:
    folders = {
        kernels(tmp_path).folder,
        kernels(tmp_path, model="Another").folder,
        kernels(tmp_path, flags="avx2").folder,
    }
    assert len(folders) == 3
    assert kernels(tmp_path, flags="avx512_vnni avx2").folder in folders  # the order says nothing


def test_what_is_removed_is_not_used(tmp_path: Path) -> None:
    made = installed(tmp_path, Tried(wheel=SLOW, native=FAST))
    made.remove()
    assert made.plugin_for(DECODER) is None


def test_logits_may_differ_a_little_where_nothing_hangs_on_it() -> None:
    reference = np.zeros((3, 50), np.float32)
    reference[:, 7], reference[:, 8] = 10.0, [9.9, 3.0, 3.0]
    other = reference.copy()
    other[0, 8] = 10.2  # the two were nearly as likely
    assert differences(reference, other) == ""
    other[2, 7] = 9.0
    assert differences(reference, other) == ""
    other[2, 8] = 10.5
    assert "differ by up to 7.50" in differences(reference, other)
    other[2, 8] = np.nan
    assert "finite" in differences(reference, other)


def test_another_choice_of_a_sure_token_is_a_fault() -> None:
    reference = np.zeros((2, 50), np.float32)
    reference[:, 7], reference[:, 8] = 10.0, 9.2
    other = reference.copy()
    other[1, 7], other[1, 8] = 9.4, 9.8
    assert differences(reference, other) == "1 of 2 contexts go on with another token"


def test_sources_of_another_release_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "xllamacpp.tar.gz"
    archive.write_bytes(b"another")
    with pytest.raises(SetupError, match="another release or damaged"):
        prepare(tmp_path, archive)
    for name in {change[0] for change in patch.CHANGES}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("int main() {}")
    with pytest.raises(SetupError, match="is not what this program knows"):
        patch.apply(tmp_path)
