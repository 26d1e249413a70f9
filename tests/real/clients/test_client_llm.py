"""llm, the command and its Python interface, with this server among its extra OpenAI models."""

import json
import os
import subprocess
import sys
from pathlib import Path

import llm
import openai
import pytest
from running_server import RunningServer
from sample_media import ABOUT_PICTURE, ABOUT_SOUND, BAD_PICTURE, PICTURE, QUESTION, sound_as_wav

TIMEOUT_S = 240

pytestmark = [pytest.mark.real, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture
def user_folder(server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where llm keeps its models, keys and logs."""
    (tmp_path / "extra-openai-models.yaml").write_text(
        "".join(
            f"- model_id: {model_id}\n"
            f"  model_name: {model_name}\n"
            f"  api_base: {server.api}\n"
            "  vision: true\n  audio: true\n  supports_schema: true\n  supports_tools: true\n"
            for model_id, model_name in (("phone", "autoglm-phone-9b"), ("absent", "gpt-4o"))
        )
    )
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def model(user_folder: Path) -> llm.Model:
    return llm.get_model("phone")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=os.environ)


@pytest.mark.usefixtures("user_folder")
def test_the_command_answers() -> None:
    answer = run("-m", "phone", "-o", "temperature", "0", "-o", "max_tokens", "20", QUESTION)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip()


@pytest.mark.usefixtures("user_folder")
def test_the_command_follows_a_schema() -> None:
    question = "Paris is the capital of France. Give name and country of the city."
    answer = run("-m", "phone", "-o", "temperature", "0", "--schema", "name, country", question)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {"name": "Paris", "country": "France"}


def test_text_streams(model: llm.Model) -> None:
    pieces = list(model.prompt(QUESTION, temperature=0, max_tokens=20))
    assert len(pieces) > 3
    assert "".join(pieces) == model.prompt(QUESTION, temperature=0, max_tokens=20, stream=False).text()


def test_a_picture(model: llm.Model) -> None:
    answer = model.prompt(ABOUT_PICTURE, attachments=[llm.Attachment(path=str(PICTURE))], temperature=0, max_tokens=40)
    assert "Settings" in answer.text()


def test_a_sound(model: llm.Model) -> None:
    sound = llm.Attachment(type="audio/wav", content=sound_as_wav())
    answer = model.prompt(ABOUT_SOUND, attachments=[sound], temperature=0, max_tokens=40)
    assert "settings" in answer.text()


def test_a_tool_is_called_and_its_result_read(model: llm.Model) -> None:
    asked = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sunny"

    chain = model.chain("What is the weather in Paris?", tools=[get_weather], options={"temperature": 0})
    assert chain.text()
    assert asked == ["Paris"]


def test_errors_are_openais_and_the_commands(model: llm.Model) -> None:
    with pytest.raises(openai.NotFoundError):
        llm.get_model("absent").prompt("Hi").text()
    bad = llm.Attachment(type="image/png", content=BAD_PICTURE)
    with pytest.raises(openai.BadRequestError):
        model.prompt(ABOUT_PICTURE, attachments=[bad]).text()
    refused = run("-m", "absent", "Hi")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ")
