"""The estimate against a running server, every process and every module; and what is done with it before a start."""

import os
import sys

import httpx
import pytest
from running_server import served

from autoglm_phone.assemble.processes import Setup
from autoglm_phone.assemble.server import checked_memory, chosen_bundle
from autoglm_phone.cli.main import main
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.memory import MemoryReport
from autoglm_phone.core.module import Modality
from autoglm_phone.settings import Hardware, load_settings, resolve
from autoglm_phone.weights.store import LocatedModule, Store, cache_home

pytestmark = pytest.mark.real

TOLERANCE = 0.05


@pytest.mark.parametrize("flag", ["--no-native-kernels", "--native-kernels"])
def test_a_ready_server_holds_what_was_estimated(
    nano: dict[Modality, LocatedModule], voice: LocatedModule, flag: str
) -> None:
    """Where no kernels have been built, both are those of the wheel."""
    with served(flag) as server:
        memory = httpx.get(f"{server.api}/memory", trust_env=False).json()
    processes = {part["process"]: part["resident_bytes"] for part in memory["measured"]}
    assert set(processes) == {"api", "engine", "media", "voice"}
    estimated = memory["estimated"]["resident_bytes"]
    assert sum(processes.values()) == pytest.approx(estimated, rel=TOLERANCE), processes
    for process, measured in processes.items():  # no error of one hides behind that of another
        parts = [part for part in memory["estimated"]["parts"] if part["process"] == process]
        held = sum(part["size_bytes"] for part in parts if part["kind"] != "growing")
        assert measured == pytest.approx(held, rel=3 * TOLERANCE), process


def checked(nano: dict[Modality, LocatedModule], memory_bytes: int, **flags: object) -> MemoryReport:
    settings = load_settings({"native_kernels": False, **flags}, {})
    bundle = chosen_bundle(Store(cache_home(os.environ)), settings)
    machine = Hardware(2, memory_bytes)
    return checked_memory(Setup(settings, resolve(settings, machine, bundle.max_model_len), bundle), nano, machine)


def test_a_server_that_cannot_fit_does_not_start_unless_told_to(nano: dict[Modality, LocatedModule]) -> None:
    with pytest.raises(SetupError, match=r"autoglm-phone-nano needs 1,\d{3} MB of memory .*this machine has 1,074 MB"):
        checked(nano, 1 << 30)
    assert checked(nano, 2 << 30).estimate == checked(nano, 1 << 30, check_memory=False).estimate


def test_the_command_tells_the_parts_and_whether_they_fit(
    nano: dict[Modality, LocatedModule], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> tuple[object, list[str]]:
        monkeypatch.setattr(sys, "argv", ["autoglm-phone", "estimate", "nano", "--no-native-kernels", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, capsys.readouterr().out.splitlines()

    code, lines = told("--ctx", "8192", "--parallel", "4", "--no-vision")
    assert code == 0
    assert lines[0] == "autoglm-phone-nano, 8192 tokens of KV cache, 4 requests at once"
    assert "engine: kv cache 101 MB" in {" ".join(line.split()) for line in lines}
    assert not [line for line in lines if "vision" in line]
    assert lines[-1].endswith("it fits")
    code, lines = told("--ctx", str(2**40))
    assert (code, lines[-1][-10:]) == (3, "too little")
