"""Modules of a real server are replaced while it answers: no request fails, nothing leaks, memory comes back."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from running_server import RunningServer, served
from running_tree import children, private_bytes
from sample_media import PICTURE, SOUND, data_uri

from autoglm_phone.core.module import Modality
from autoglm_phone.weights.bundle import Bundle, load_bundle
from autoglm_phone.weights.bundle_file import write_bundle
from autoglm_phone.weights.catalogue import CATALOGUE
from autoglm_phone.weights.module_spec import FileSpec, ModuleSpec
from autoglm_phone.weights.store import LocatedModule
from autoglm_phone.weights.verified import hash_file

pytestmark = pytest.mark.real

ADMIN = "the admin's key"
PATIENT_S = 60.0
RETURNED_S = 10.0
Nano = dict[Modality, LocatedModule]


def another_version(nano: Nano, folder: Path) -> Bundle:
    """Eyes and ears that work as nano's do, with other digests: a blank line in a config, a comment in a model."""
    bundle = load_bundle(CATALOGUE / "autoglm-phone-nano")
    changed = {"config.json": b"\n", "PP-OCRv6_det_small.onnx": b"\x32\x01x"}  # ModelProto.doc_string = "x"
    folder.mkdir()
    modules: dict[Modality, ModuleSpec] = {"text": bundle.text}
    senses: tuple[Modality, ...] = ("speech", "vision")
    for modality in senses:
        files = []
        for path in nano[modality].files:
            target = folder / path.name
            shutil.copyfile(path, target)
            with target.open("ab") as file:
                file.write(changed.get(path.name, b""))
            files.append(FileSpec(path.name, target.stat().st_size, hash_file(target)))
        spec = bundle.modules[modality]
        modules[modality] = msgspec.structs.replace(spec, version="second", files=tuple(files), package=None, hub=None)
    write_bundle(replace(bundle, id="second", modules=modules), folder, {})
    return load_bundle(folder)


@pytest.fixture(scope="module")
def folder(nano: Nano, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module")
def second(nano: Nano, folder: Path) -> Bundle:
    return another_version(nano, folder / "second")


@pytest.fixture(scope="module")
def admin(second: Bundle, folder: Path) -> Iterator[RunningServer]:
    with served("--admin-key", ADMIN, "--module-path", str(folder), "--max-running", "20", "--voice", "off") as running:
        yield running


def change(server: RunningServer, method: str, modality: Modality, source: str | None = None) -> httpx.Response:
    body = {"source": source} if source is not None else None
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{server.api}/modules/{modality}"
    return httpx.request(method, url, json=body, headers=headers, timeout=PATIENT_S, trust_env=False)


def loaded(server: RunningServer) -> dict[str, str]:
    """Version by modality, of those that take newcomers."""
    listed = httpx.get(f"{server.api}/modules", trust_env=False).json()["data"]
    return {one["modality"]: one["version"] for one in listed if not one["is_leaving"]}


def wait_until_alone(server: RunningServer) -> None:
    """Until everything that was replaced has ended."""
    deadline_s = time.monotonic() + PATIENT_S
    while time.monotonic() < deadline_s:
        listed = httpx.get(f"{server.api}/modules", trust_env=False).json()["data"]
        if not any(one["is_leaving"] for one in listed) and len(children(server.pid)) <= 2:
            return
        time.sleep(0.05)
    pytest.fail(f"modules that were replaced do not leave: {listed}")


@dataclass
class Clients:
    """Ask again and again until told to stop. faults: what was not answered to its end."""

    server: RunningServer
    has_media: bool = True
    num_answers: int = 0
    faults: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def chat(self, number: int) -> None:
        picture = {"type": "image_url", "image_url": {"url": data_uri("image/png", PICTURE.read_bytes())}}
        sound = {"type": "input_audio", "input_audio": {"data": data_uri("audio/flac", SOUND.read_bytes())}}
        turn = 0
        while not self.is_over.is_set():
            turn += 1
            text = {"type": "text", "text": f"Client {number}, question {turn}: count from {number} on."}
            media = {0: [picture], 1: [sound]}.get((number + turn) % 4, []) if self.has_media else []
            body = {
                "messages": [{"role": "user", "content": [*media, text]}],
                "stream": True,
                "max_tokens": 24,
                "user": f"client {number}",
            }
            self._ask(body)

    def _ask(self, body: dict[str, Any]) -> None:
        url = f"{self.server.api}/chat/completions"
        try:
            with httpx.stream("POST", url, json=body, timeout=PATIENT_S * 2, trust_env=False) as response:
                lines = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
        except httpx.HTTPError as error:
            self.faults.append(repr(error))
            return
        if response.status_code != 200 or lines[-1:] != ["[DONE]"]:
            self.faults.append(f"{response.status_code}: {lines[-1:]}")
            return
        finish = [choice["finish_reason"] for line in lines[:-1] for choice in json.loads(line)["choices"]]
        if finish[-1] not in ("stop", "length"):
            self.faults.append(f"ended with {finish[-1]}")
        self.num_answers += 1


@contextmanager
def asking(server: RunningServer, num_clients: int, *, has_media: bool = True) -> Iterator[Clients]:
    clients = Clients(server, has_media)
    with ThreadPoolExecutor(num_clients) as pool:
        try:
            for number in range(num_clients):
                pool.submit(clients.chat, number)
            yield clients
        finally:
            clients.is_over.set()
    assert clients.faults == []
    assert clients.num_answers >= num_clients


def transcript(server: RunningServer) -> httpx.Response:
    files = {"file": ("open.flac", SOUND.read_bytes())}
    return httpx.post(f"{server.api}/audio/transcriptions", files=files, timeout=PATIENT_S, trust_env=False)


def picture(server: RunningServer) -> httpx.Response:
    url = {"url": data_uri("image/png", PICTURE.read_bytes())}
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}], "max_tokens": 4}
    return httpx.post(f"{server.api}/chat/completions", json=body, timeout=PATIENT_S, trust_env=False)


def engine_pid(server: RunningServer) -> int:
    return int(httpx.get(f"{server.url}/health", trust_env=False).json()["engine_pid"])


def held(server: RunningServer) -> dict[str, int]:
    """What each process holds for itself; file pages, which are shared, come and go."""
    engine = engine_pid(server)
    [media] = [pid for pid in children(server.pid) if pid != engine]
    return {"api": private_bytes(server.pid), "engine": private_bytes(engine), "media": private_bytes(media)}


def check_memory_is_back(server: RunningServer, before_bytes: dict[str, int]) -> None:
    """No process more than before, and none that holds a second model: the smallest would be 100 MB."""
    wait_until_alone(server)
    # Caches fill meanwhile: spilled prefixes in the engine, buffers of a reading beside it.
    allowed = {"api": 30e6, "engine": 96e6 + 40e6, "media": 60e6}
    deadline_s = time.monotonic() + RETURNED_S
    while True:
        after_bytes = held(server)
        is_back = all(after_bytes[name] < before_bytes[name] + allowed[name] for name in after_bytes)
        if is_back or time.monotonic() > deadline_s:
            break
        time.sleep(0.1)
    print({name: f"{before_bytes[name] / 1e6:.0f} -> {after_bytes[name] / 1e6:.0f} MB" for name in after_bytes})
    assert is_back, (before_bytes, after_bytes)


def test_ears_and_eyes_are_replaced_and_taken_out(admin: RunningServer, second: Bundle) -> None:
    first, before_text = loaded(admin), transcript(admin).json()["text"]
    before_bytes = held(admin)
    with asking(admin, 1):
        changed = change(admin, "POST", "speech", str(second.folder)).json()
        assert changed["loaded"]["digest"] == second.modules["speech"].digest
        assert changed["replaced"]["version"] == first["speech"]
        assert transcript(admin).json()["text"] == before_text
    assert change(admin, "DELETE", "vision").json()["loaded"] is None
    assert set(loaded(admin)) == {"text", "speech"}
    refused = picture(admin)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported_modality")
    assert change(admin, "POST", "vision", str(second.folder)).status_code == 200
    assert picture(admin).status_code == 200
    assert loaded(admin) == {"text": first["text"], "speech": "second", "vision": "second"}
    check_memory_is_back(admin, before_bytes)
    health = httpx.get(f"{admin.url}/health", trust_env=False).json()
    assert {one["modality"]: one["version"] for one in health["modules"]} == loaded(admin)


@pytest.mark.parametrize("fault", ["digest", "missing", "width", "place", "does not load"])
def test_a_hostile_target_changes_nothing(admin: RunningServer, second: Bundle, folder: Path, fault: str) -> None:
    before, pids = loaded(admin), sorted(children(admin.pid))
    bad = folder / fault.replace(" ", "-")
    shutil.copytree(second.folder, bad)
    toml, weights = bad / "bundle.toml", bad / "model.bin"
    said, status = {
        "digest": ("is damaged", 409),
        "missing": ("is missing", 409),
        "width": ("widths.d_model", 409),
        "place": ("--module-path", 403),
        "does not load": ("did not come up", 409),
    }[fault]
    source = str(bad)
    match fault:
        case "digest":
            with weights.open("r+b") as file:
                file.write(b"\0\0\0\0")
        case "missing":
            weights.unlink()
        case "width":
            head, speech, rest = toml.read_text().partition("[speech]\n")
            rest = rest.replace('"transcriber"', '"encoder"\nwidths = { d_out = 7 }', 1)
            toml.write_text(head + speech + rest.replace("ctranslate2", "safetensors", 1))
        case "place":
            source = str(bad.parent.parent)
        case "does not load":
            weights.write_bytes(b"nothing that could be loaded")
            spec = second.modules["speech"]
            files = tuple(
                FileSpec(one.name, (bad / one.name).stat().st_size, hash_file(bad / one.name)) for one in spec.files
            )
            ears = msgspec.structs.replace(spec, files=files)
            write_bundle(replace(second, modules={**second.modules, "speech": ears}), bad, {})
    refused = change(admin, "POST", "speech", source)
    assert (refused.status_code, said in refused.json()["error"]["message"]) == (status, True), refused.text
    assert loaded(admin) == before
    assert sorted(children(admin.pid)) == pids
    assert transcript(admin).status_code == 200


def test_the_decoder_is_replaced_while_it_answers(admin: RunningServer) -> None:
    before_bytes, old_pid = held(admin), engine_pid(admin)
    with asking(admin, 2, has_media=False):
        changed = change(admin, "POST", "text", "nano")
        assert changed.status_code == 200, changed.text
    check_memory_is_back(admin, before_bytes)
    assert engine_pid(admin) != old_pid
    assert change(admin, "DELETE", "text").status_code == 400


@pytest.mark.slow
def test_twenty_streams_see_nothing_of_any_change(admin: RunningServer, second: Bundle) -> None:
    before_bytes = held(admin)
    with asking(admin, 20) as clients:
        changes: list[tuple[Modality, str]] = [
            ("speech", str(second.folder)),
            ("vision", str(second.folder)),
            ("text", "nano"),
            ("speech", "nano"),
        ]
        for modality, source in changes:
            begun_s, answers = time.monotonic(), clients.num_answers
            changed = change(admin, "POST", modality, source)
            assert changed.status_code == 200, changed.text
            print(f"{modality}: {time.monotonic() - begun_s:.1f} s, {clients.num_answers - answers} answers meanwhile")
    print(f"{clients.num_answers} answers")
    check_memory_is_back(admin, before_bytes)
