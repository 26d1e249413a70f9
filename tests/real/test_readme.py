"""The programs in the README, run as they stand there but for the port."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from running_server import RunningServer

ROOT = Path(__file__).parents[2]
PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
CALLS = re.findall(r"```sh\n((?:(?!```).)*?\bcurl (?:(?!```).)*)```", (ROOT / "README.md").read_text(), re.DOTALL)
TIMEOUT_S = 240

pytestmark = pytest.mark.real


@pytest.mark.parametrize("program", PROGRAMS, ids=["openai", "openai-media", "langchain", "langchain-media"])
def test_a_program_of_the_readme_prints_an_answer(program: str, server: RunningServer) -> None:
    ours = program.replace("http://127.0.0.1:8000", server.url)
    assert ours != program
    result = subprocess.run(
        [sys.executable, "-c", ours], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


@pytest.mark.parametrize(
    ("call", "words"),
    list(zip(CALLS, ["AutoGLM", r"data: \[DONE\]", "Settings", "settings"], strict=True)),
    ids=["text", "stream", "picture", "sound"],
)
def test_a_curl_call_of_the_readme_is_answered(call: str, words: str, server: RunningServer) -> None:
    ours = call.replace("http://127.0.0.1:8000", server.url)
    assert ours != call
    result = subprocess.run(
        ["sh", "-c", ours], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert result.returncode == 0, result.stderr
    assert re.search(words, result.stdout)
