"""A decoder is replaced by one with another vocabulary, template and window while the real command answers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_server import RunningServer, served
from tiny_glm4 import TEMPLATE, write_tiny_glm4

pytestmark = pytest.mark.real

ADMIN = "the admin's key"
PATIENT_S = 60.0
SHIFT = 7
MARK = " * "
SAME = 300  # characters
LONG = {"max_tokens": 1500, "ignore_eos": True, "temperature": 0, "stream": True}
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "count the stars above the town"}]}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    template = TEMPLATE.replace("<|user|>{{ '\\n' }}", "<|user|>{{ '" + MARK + "' }}")
    assert template != TEMPLATE
    (tmp_path / "other").mkdir()
    return write_tiny_glm4(tmp_path / "other/text.gguf", seed=5, window=1024, shift=SHIFT, template=template)


@pytest.fixture
def server(other: Path, tmp_path: Path) -> Iterator[RunningServer]:
    first = write_tiny_glm4(tmp_path / "text.gguf")
    flags = ["--admin-key", ADMIN, "--module-path", str(tmp_path), "--threads", "1", "--no-native-kernels"]
    with served("--model", str(first), "--voice", "off", "--kv-tokens", "16384", *flags) as running:
        yield running


def post(server: RunningServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    answer = httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=PATIENT_S, trust_env=False)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def streaming(server: RunningServer) -> Iterator[Iterator[str]]:
    url = f"{server.api}/chat/completions"
    with httpx.stream("POST", url, json=QUESTION | LONG, timeout=PATIENT_S, trust_env=False) as response:
        lines = (line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: "))
        chunks = (json.loads(line) for line in lines if line != "[DONE]")
        yield (chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])


def whole(server: RunningServer) -> str:
    with streaming(server) as pieces:
        return "".join(pieces)


def window(server: RunningServer) -> int:
    card = httpx.get(f"{server.api}/models", trust_env=False).json()["data"][0]
    return int(card["max_model_len"])


def test_who_began_before_ends_with_the_old_vocabulary_and_newcomers_get_the_new_one(
    server: RunningServer, other: Path
) -> None:
    assert window(server) == 2048
    alone = whole(server)
    before = post(server, "/v1/responses", {"input": "remember me", "max_output_tokens": 4})
    with streaming(server) as pieces:
        begun = next(piece for piece in pieces if piece)
        with ThreadPoolExecutor(1) as pool:
            change = pool.submit(post, server, "/v1/modules/text", {"source": str(other)})
            rest = "".join(pieces)
            loaded = change.result()["loaded"]
    # Steps of other widths move the logits a little, so greedy texts part somewhere; the alphabet of the old one stays.
    told = begun + rest
    assert told[:SAME] == alone[:SAME]
    assert len(set(told) - set(alone)) <= 2

    assert window(server) == 1024
    card = httpx.get(f"{server.api}/models", trust_env=False).json()["data"][0]
    assert [one["digest"] for one in card["modules"]] == [loaded["digest"]]
    tokens = post(server, "/tokenize", {"prompt": "a", "add_special_tokens": False})["tokens"]
    assert tokens == [ord("a") - SHIFT]
    assert MARK in post(server, "/apply-template", QUESTION)["prompt"]

    answer = post(server, "/v1/chat/completions", QUESTION | {"max_tokens": 8, "temperature": 0})
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    schema = {"type": "json_schema", "json_schema": {"name": "word", "schema": {"enum": ["yes", "no"]}}}
    bound = post(server, "/v1/chat/completions", QUESTION | {"response_format": schema, "max_tokens": 16})
    assert json.loads(bound["choices"][0]["message"]["content"]) in ("yes", "no")

    new = {"input": "and now", "max_output_tokens": 4}
    alone_tokens = post(server, "/v1/responses", new)["usage"]["input_tokens"]
    followed = post(server, "/v1/responses", new | {"previous_response_id": before["id"]})
    assert followed["usage"]["input_tokens"] > alone_tokens + len("remember me")
