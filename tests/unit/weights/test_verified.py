import os
from pathlib import Path

import pytest
from small_bundle import sha256

from autoglm_phone.core.errors import BundleError
from autoglm_phone.core.ids import Digest
from autoglm_phone.weights.verified import VerifiedFiles, hash_file, join_files, take_over


def quiet(_: int) -> None:
    pass


def keep_time(path: Path, data: bytes, time_ns: int) -> None:
    """Write in place, so that size, time and inode stay what they were."""
    path.write_bytes(data)
    os.utime(path, ns=(time_ns, time_ns))


def test_an_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    keep_time(path, b"first", 1_000)
    files = VerifiedFiles(tmp_path / "stamps.json")
    assert files.digest(path) == sha256(b"first")
    keep_time(path, b"other", 1_000)  # only reading it again would tell
    assert VerifiedFiles(tmp_path / "stamps.json").digest(path) == sha256(b"first")


@pytest.mark.parametrize("change", ["time", "size", "inode"])
def test_a_changed_file_is_hashed_again(tmp_path: Path, change: str) -> None:
    path = tmp_path / "weights"
    keep_time(path, b"first", 1_000)
    files = VerifiedFiles(tmp_path / "stamps.json")
    files.digest(path)
    if change == "inode":
        other = tmp_path / "other"
        keep_time(other, b"other", 1_000)
        other.replace(path)
    else:
        keep_time(path, b"other" if change == "time" else b"longer", 2_000 if change == "time" else 1_000)
    assert files.digest(path) == hash_file(path)


def test_damaged_stamps_only_cost_time(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"first")
    (tmp_path / "stamps.json").write_text("{broken")
    assert VerifiedFiles(tmp_path / "stamps.json").digest(path) == sha256(b"first")


def test_stamps_of_files_that_are_gone_are_dropped(tmp_path: Path) -> None:
    files = VerifiedFiles(tmp_path / "stamps.json")
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(b"same")
        files.digest(tmp_path / name)
        if name == "old":
            (tmp_path / "old").unlink()
    assert '/old"' not in (tmp_path / "stamps.json").read_text()


def test_joined_files_stand_under_their_name_only_when_right(tmp_path: Path) -> None:
    pieces = [tmp_path / "1", tmp_path / "2"]
    for piece in pieces:
        piece.write_bytes(piece.name.encode())
    target = tmp_path / "whole"
    with pytest.raises(BundleError, match="damaged"):
        join_files(pieces, target, Digest(sha256(b"something else")), quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    seen: list[int] = []
    join_files(pieces, target, Digest(sha256(b"12")), seen.append)
    assert target.read_bytes() == b"12"
    assert sum(seen) == 2


def test_a_file_that_was_cut_off_while_joining_leaves_nothing(tmp_path: Path) -> None:
    piece = tmp_path / "1"
    piece.write_bytes(b"1")

    def cut(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        join_files([piece], tmp_path / "whole", Digest(sha256(b"1")), cut)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_wrong_download_is_not_kept(tmp_path: Path) -> None:
    source = tmp_path / "download"
    source.write_bytes(b"not it")
    with pytest.raises(BundleError, match="sha256"):
        take_over(source, tmp_path / "whole", Digest(sha256(b"it")), quiet)
    assert list(tmp_path.iterdir()) == []
