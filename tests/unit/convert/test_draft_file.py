"""Files that appear whole or not at all, and go on where a killed run was."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoglm_phone.convert.draft_file import Part, write_resumably
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.progress import silent

HEAD = b"head of the file"
CONTENTS = [b"one" * 1000, b"two" * 500, b"three" * 10]


class Source:
    """Counts how often each part is asked for; raises at part `fails`."""

    def __init__(self, fails: int = -1) -> None:
        self.asked: list[int] = []
        self._fails = fails

    def parts(self) -> list[Part]:
        return [
            Part(len(content), lambda index=index: self._chunks(index), padding=-len(content) % 32)  # type: ignore[misc]  # of the loop
            for index, content in enumerate(CONTENTS)
        ]

    def _chunks(self, index: int) -> Iterator[bytes]:
        self.asked.append(index)
        yield CONTENTS[index][:7]
        if index == self._fails:
            raise KeyboardInterrupt
        yield CONTENTS[index][7:]


def expected() -> bytes:
    return HEAD + b"".join(content + bytes(-len(content) % 32) for content in CONTENTS)


def test_a_file_is_written_and_not_written_again(tmp_path: Path) -> None:
    target = tmp_path / "new" / "m.gguf"
    seen: list[tuple[str, int, int]] = []
    write_resumably(target, HEAD, Source().parts(), lambda *report: seen.append(report))
    assert target.read_bytes() == expected()
    assert os.listdir(target.parent) == ["m.gguf"]
    assert seen[-1] == ("m.gguf", len(expected()), len(expected()))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    again = Source()
    write_resumably(target, HEAD, again.parts(), silent)
    assert again.asked == []


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_a_run_that_was_cut_off_is_gone_on_with(tmp_path: Path, fails: int) -> None:
    target = tmp_path / "m.gguf"
    with pytest.raises(KeyboardInterrupt):
        write_resumably(target, HEAD, Source(fails).parts(), silent)
    assert not target.exists()
    second = Source()
    write_resumably(target, HEAD, second.parts(), silent)
    assert second.asked == list(range(fails, 3))
    assert target.read_bytes() == expected()
    assert os.listdir(tmp_path) == ["m.gguf"]


@pytest.mark.parametrize("length", [0, 5, len(HEAD), len(HEAD) + 3007, len(HEAD) + 3008, len(HEAD) + 3009])
def test_a_draft_of_any_length_becomes_the_same_file(tmp_path: Path, length: int) -> None:
    target = tmp_path / "m.gguf"
    with pytest.raises(KeyboardInterrupt):
        write_resumably(target, HEAD, Source(2).parts(), silent)
    [draft] = tmp_path.iterdir()
    os.truncate(draft, length)
    write_resumably(target, HEAD, Source().parts(), silent)
    assert target.read_bytes() == expected()


def test_a_draft_of_something_else_is_no_beginning(tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"
    target.write_bytes(b"an older conversion")
    with pytest.raises(KeyboardInterrupt):
        write_resumably(target, b"HEAD of another file", Source(1).parts(), silent)
    assert target.read_bytes() == b"an older conversion"
    source = Source()
    write_resumably(target, HEAD, source.parts(), silent)
    assert source.asked == [0, 1, 2]
    assert target.read_bytes() == expected()
    assert os.listdir(tmp_path) == ["m.gguf"]


KILLED = """
import os, signal, sys
from pathlib import Path
from autoglm_phone.convert.draft_file import Part, write_resumably

def second():
    yield b"b" * 100
    print("half", flush=True)
    signal.pause()

parts = [Part(1000, lambda: [b"a" * 1000]), Part(200, second)]
write_resumably(Path(sys.argv[1]), b"head", parts, lambda *report: None)
"""


def test_a_killed_process_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "half\n"
        asked: list[str] = []
        parts = [Part(1000, lambda: asked.append("first") or [b"a" * 1000]), Part(200, lambda: [b"b" * 200])]  # type: ignore[func-returns-value]  # notes that it was called
        with pytest.raises(BundleError, match="another process is writing"):
            write_resumably(target, b"head", parts, silent)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not target.exists()
    write_resumably(target, b"head", parts, silent)
    assert target.read_bytes() == b"head" + b"a" * 1000 + b"b" * 200


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match=r"m\.gguf cannot be written"):
        write_resumably(tmp_path / "file" / "m.gguf", HEAD, Source().parts(), silent)


def test_a_disk_that_is_too_small_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    source = Source()
    with pytest.raises(BundleError, match=r"the disk has .* MB free"):
        write_resumably(tmp_path / "m.gguf", HEAD, [*source.parts(), Part(2**60, lambda: [])], silent)
    assert source.asked == []
