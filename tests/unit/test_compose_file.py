"""compose.yaml beside the Dockerfile that it builds and the settings that it passes on."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types, and one file reads YAML
from dockerfile import parse

from autoglm_phone.settings import load_settings

ROOT = Path(__file__).parents[2]
LAST = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))[-1]


def interpolated(text: str, **variables: str) -> str:
    """`${NAME:-default}`, the only form that the file uses."""
    filled = re.sub(r"\$\{([A-Z_]+):-([^}]*)\}", lambda match: variables.get(match[1]) or match[2], text)
    assert "$" not in filled
    return filled


def services(**variables: str) -> dict[str, dict[str, Any]]:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(interpolated(text, **variables))["services"]
    return found


@pytest.mark.parametrize("name", ["server", "cuda"])
def test_a_service_fits_the_image(name: str) -> None:
    service = services()[name]
    (port,) = service["ports"]
    assert port == "127.0.0.1:8000:8000"  # published on this machine alone
    assert port.rpartition(":")[2] in LAST.texts("EXPOSE")
    (env,) = (step.assignments for step in LAST.steps if step.keyword == "ENV")
    assert service["volumes"] == [f"model:{env['AUTOGLM_HOME']}"]
    args = {step.split("=")[0] for stage in parse((ROOT / "Dockerfile").read_text()) for step in stage.texts("ARG")}
    assert service["build"]["args"].keys() == args


@pytest.mark.parametrize("name", ["server", "cuda"])
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True


def test_only_the_cuda_service_gets_the_cards_and_it_starts_when_named() -> None:
    assert "deploy" not in services()["server"]
    cuda = services()["cuda"]
    assert cuda["profiles"] == ["cuda"]
    (device,) = cuda["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert cuda["container_name"] != services()["server"]["container_name"]


def test_what_is_passed_on_means_something_to_the_server() -> None:
    given = {name: value or "default" for name, value in services()["server"]["environment"].items()}
    settings = load_settings({}, given)
    assert settings.allowed_hosts == ("localhost",)
    assert settings.api_key is not None


def test_a_folder_of_the_machine_can_hold_the_model() -> None:
    assert services(MODEL_FOLDER="./model")["server"]["volumes"] == ["./model:/app/model"]
    assert services(PUBLISH_ON="0.0.0.0")["server"]["ports"] == ["0.0.0.0:8000:8000"]


def test_compose_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker with its compose plugin is not here")
    words = [docker, "compose", "--file", str(ROOT / "compose.yaml"), "--profile", "cuda", "config", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
