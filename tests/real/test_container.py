"""The image of the Dockerfile: every step taken in a bare Debian, and its entry point started as compose.yaml does.

Where no Debian root can be made (no root, no debootstrap), a plain folder with a virtual environment stands for it.
The first run on a machine fetches the bare system, which is kept in the user's cache folder; each run fetches the rest,
so that without a network nothing can be tested here.
"""

import base64
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import host_network
import httpx
import pytest
from debian_roots import DebianRoots, what_is_lacking
from dockerfile import IgnoreList, parse
from image_build import Container, Image, ImageBuild, Mount
from plain_folder import PlainFolder
from private_folder import PrivateFolder

from autoglm_phone.core.module import Modality
from autoglm_phone.weights.store import LocatedModule, cache_home

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
MODEL_FOLDER = PurePosixPath("/app/model")
ON_DISK = "/var/tmp"  # /tmp may be in memory, and this takes more than a gigabyte
FETCHING_S = 600.0
START_S = 300.0
ANSWER_S = 300.0  # what reads pictures is nice: other programs of the machine go first
STOP_S = 30.0
NO_NETWORK = {"PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}  # whoever asks for a package or a model all the same fails


@dataclass(frozen=True)
class Running:
    """A container of an image, and the port that its server has on this machine."""

    container: Container
    image: Image
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_healthy(self, within_s: float = START_S) -> None:
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s and not self.container.has_ended:
            try:
                if httpx.get(f"{self.url}/health", trust_env=False).json()["status"] == "ok":
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        pytest.fail("the server in the container did not become healthy")

    def check_health(self, port: int) -> int:
        """What the image's own check says of that port: 0 is well."""
        return self.container.execute(self.image.healthcheck, {"AUTOGLM_PORT": str(port)}).returncode

    def answer(self, *content: Mapping[str, object]) -> str:
        """Of the model to one turn of a user."""
        asked = {"messages": [{"role": "user", "content": content}], "max_tokens": 40, "temperature": 0}
        response = httpx.post(f"{self.url}/v1/chat/completions", json=asked, timeout=ANSWER_S, trust_env=False)
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["message"]["content"])

    def stop(self) -> int:
        return self.container.stop(signal.Signals[self.image.stop_signal], STOP_S)


@dataclass(frozen=True)
class Engine:
    """What Docker does with our files, over a workshop."""

    workshop: DebianRoots | PlainFolder

    def build(self, **build_args: str) -> Image:
        ignored = IgnoreList((ROOT / ".dockerignore").read_text(encoding="utf-8"))
        stages = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
        return ImageBuild(ROOT, ignored, self.workshop, build_args).build(stages)

    @contextmanager
    def run(self, image: Image, *mounts: Mount, env: dict[str, str] = NO_NETWORK) -> Iterator[Running]:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        # containers here share the network of this machine, where 8000 may be taken
        surroundings = replace(image.surroundings, env={**image.env, **env, "AUTOGLM_PORT": str(port)})
        container = self.workshop.start(image.root, surroundings, image.entrypoint, mounts)
        try:
            yield Running(container, image, port)
        finally:
            container.end()


def forms() -> list[object]:
    lacking = what_is_lacking()
    return ["folder"] if lacking else ["debian", pytest.param("folder", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def registry() -> None:
    """Skips where no package can be had."""
    if why := host_network.what_stops_fetching():
        pytest.skip(f"the image is made of packages, and none can be fetched: {why}")


@pytest.fixture(scope="module", params=forms())
def engine(request: pytest.FixtureRequest, registry: None) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="autoglm-image-", dir=ON_DISK) as folder:
        if request.param == "folder":
            yield Engine(PlainFolder(Path(folder)))
        else:
            with closing(PrivateFolder(Path(folder))) as private:
                yield Engine(DebianRoots(private, cache_home({}).with_name("autoglm-phone-tests")))


@pytest.fixture(scope="module")
def image(engine: Engine) -> Image:
    return engine.build()


@pytest.fixture(scope="session")
def files(nano: dict[Modality, LocatedModule]) -> Mount:
    """The machine's own files of the embedded default, read-only."""
    return Mount(cache_home(os.environ), MODEL_FOLDER)


@pytest.fixture
def own_folder(image: Image) -> Iterator[Path]:
    """An empty model folder that belongs to the container's user, for a mount."""
    with tempfile.TemporaryDirectory(prefix="autoglm-model-", dir=ON_DISK) as folder:
        if os.geteuid() == 0:
            uid, gid = map(int, image.user.split(":"))
            os.chown(folder, uid, gid)
        yield Path(folder)


def test_with_the_model_folder_mounted_it_needs_no_network_and_no_rights(
    engine: Engine, image: Image, files: Mount
) -> None:
    with engine.run(image, files) as running:
        running.wait_until_healthy()
        screen = base64.b64encode((ROOT / "tests/samples/settings_screen.png").read_bytes()).decode()
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{screen}"}}
        assert running.answer(picture, {"type": "text", "text": "Which words are on this screen?"})
        assert running.check_health(running.port) == 0
        assert running.check_health(1) != 0  # nobody listens there
        if isinstance(engine.workshop, DebianRoots):
            check_powerlessness(running)
        assert running.stop() == 0


def check_powerlessness(running: Running) -> None:
    """No process of the container is root or could become it, and none can write but where it should."""
    told = Path(f"/proc/{running.container.pid}/status").read_text(encoding="ascii")
    facts = dict(line.split(":\t", 1) for line in told.splitlines())
    assert facts["Uid"].split() == ["10001"] * 4
    assert facts["Gid"].split() == ["10001"] * 4
    assert facts["CapBnd"].strip("0") == ""
    assert facts["NoNewPrivs"] == "1"
    for place, is_writable in (("/app", False), ("/app/model", False), ("/usr/local/bin", False), ("/tmp", True)):
        status = running.container.execute(["touch", f"{place}/file"], {}).returncode
        assert (status == 0) is is_writable, place


def test_an_empty_model_folder_is_filled_at_the_first_start(engine: Engine, image: Image, own_folder: Path) -> None:
    mount = Mount(own_folder, MODEL_FOLDER, is_read_only=False)
    with engine.run(image, mount, env=dict(engine.workshop.registry_variables())) as running:
        running.wait_until_healthy(FETCHING_S)
        assert running.stop() == 0
    assert sorted(path.name for path in own_folder.iterdir()) == ["lock", "modules", "verified.json"]


def test_a_model_laid_into_the_folder_is_served(
    engine: Engine, image: Image, own_folder: Path, nano_gguf: Path
) -> None:
    folder = Mount(own_folder, MODEL_FOLDER, is_read_only=False)
    with engine.run(image, folder, Mount(nano_gguf, MODEL_FOLDER / "my-model.gguf")) as running:
        running.wait_until_healthy()
        models = httpx.get(f"{running.url}/v1/models", trust_env=False).json()
        assert models["data"][0]["id"] == "my-model"
        assert running.stop() == 0


@pytest.mark.slow
def test_an_image_can_carry_its_model(engine: Engine, nano: dict[Modality, LocatedModule]) -> None:
    image = engine.build(BUNDLE="autoglm-phone-nano")
    with engine.run(image) as running:
        running.wait_until_healthy()
        assert running.answer({"type": "text", "text": "Say yes."})
        assert running.stop() == 0
