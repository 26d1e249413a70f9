"""What goes over the wire and what is made of the answer; the wire itself is a transport that answers from a script."""

import base64
import importlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.outputs import ChatGeneration
from pydantic import SecretStr, ValidationError

from autoglm_phone.core.errors import MissingDependency
from autoglm_phone.integrations.langchain import ChatAutoGLM, to_wire

PICTURE = b"\x89PNG picture"
SOUND = b"RIFF sound"


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Wire:
    """Answers everything with the same choices, and keeps what it was sent."""

    choices: list[dict[str, Any]] = field(default_factory=lambda: [answer("Hello")])
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[httpx2.Request] = field(default_factory=list)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if json.loads(request.content).get("stream"):
            lines = [f"data: {json.dumps(event)}\n\n" for event in self.events]
            return httpx2.Response(
                200, text="".join([*lines, "data: [DONE]\n\n"]), headers={"content-type": "text/event-stream"}
            )
        return httpx2.Response(200, json=envelope(self.choices))

    @property
    def body(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.requests[-1].content)
        return sent

    def chat(self, **settings: Any) -> ChatAutoGLM:
        return ChatAutoGLM(http_client=httpx2.Client(transport=httpx2.MockTransport(self.handle)), **settings)


def envelope(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "nano", "choices": choices}


def answer(content: str, index: int = 0, **more: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    return {"index": index, "message": message, "finish_reason": "stop"}


def event(**delta: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return {**envelope([choice]), "object": "chat.completion.chunk"}


def test_it_asks_the_local_server_without_a_key_and_without_fields_of_its_own() -> None:
    wire = Wire()
    assert wire.chat().invoke("Hi").content == "Hello"
    [request] = wire.requests
    assert str(request.url) == "http://127.0.0.1:8000/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer EMPTY"
    assert wire.body == {
        "model": "autoglm-phone-9b",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
    }


def test_the_key_is_the_servers_own_variable_and_never_openais(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    wire = Wire()
    wire.chat().invoke("Hi")
    monkeypatch.setenv("AUTOGLM_API_KEY", "ours")
    wire.chat().invoke("Hi")
    wire.chat(api_key=SecretStr("given")).invoke("Hi")
    keys = [request.headers["authorization"] for request in wire.requests]
    assert keys == ["Bearer EMPTY", "Bearer ours", "Bearer given"]


def test_media_and_switches_go_beside_the_messages(tmp_path: Path) -> None:
    (tmp_path / "screen.png").write_bytes(PICTURE)
    wire = Wire()
    chat = wire.chat(enable_thinking=True, return_reasoning=False, extra_body={"top_k": 3})
    chat.invoke("Hi", images=[tmp_path / "screen.png", PICTURE], audio=SOUND)
    assert wire.body["images"] == [in_base64(PICTURE)] * 2
    assert wire.body["audio"] == in_base64(SOUND)
    assert (wire.body["enable_thinking"], wire.body["return_reasoning"], wire.body["top_k"]) == (True, False, 3)
    chat.invoke("Hi", enable_thinking=False)
    assert wire.body["enable_thinking"] is False
    assert "images" not in wire.body


def test_media_of_a_call_replace_those_of_the_model() -> None:
    wire = Wire()
    chat = wire.chat(images=[PICTURE], audio=f"data:audio/wav;base64,{in_base64(SOUND)}")
    chat.invoke("Hi")
    assert wire.body["images"] == [in_base64(PICTURE)]
    assert wire.body["audio"].startswith("data:audio/wav;")
    chat.invoke("Hi", images=[], audio=None)
    assert not {"images", "audio"} & wire.body.keys()


@pytest.mark.parametrize("medium", ["https://example.org/a.png", f"data:image/png;base64,{in_base64(PICTURE)}"])
def test_addresses_and_data_uris_are_the_servers_to_read(medium: str) -> None:
    assert to_wire(medium) == medium


@pytest.mark.parametrize("medium", ["/etc/hostname", "screen.png", "not base64!"])
def test_a_string_never_opens_a_file(medium: str) -> None:
    with pytest.raises(ValueError, match=r"a file is named by pathlib\.Path"):
        to_wire(medium)


def test_what_cannot_be_sent_is_said_before_it_is_sent(tmp_path: Path) -> None:
    wire = Wire()
    with pytest.raises(ValidationError, match="`images` is a list, not str"):
        wire.chat(images=in_base64(PICTURE))
    with pytest.raises(ValueError, match="not dict"):
        wire.chat().invoke("Hi", audio={"voice": "alloy", "format": "wav"})
    with pytest.raises(FileNotFoundError):
        wire.chat().invoke("Hi", images=[tmp_path / "absent.png"])
    assert wire.requests == []


def test_each_answer_keeps_its_thought() -> None:
    wire = Wire([answer("A", 0, reasoning_content="first"), answer("B", 1, reasoning_content="second"), answer("C", 2)])
    [generations] = wire.chat(n=3).generate([[HumanMessage("Hi")]]).generations
    messages = [generation.message for generation in generations if isinstance(generation, ChatGeneration)]
    assert [message.additional_kwargs.get("reasoning_content") for message in messages] == ["first", "second", None]


def joined(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    first, *others = chunks
    return add_ai_message_chunks(first, *others)


def test_a_streamed_thought_is_kept_piece_by_piece() -> None:
    wire = Wire(events=[event(reasoning_content="I "), event(reasoning_content="think."), event(content="Hello")])
    whole = joined(wire.chat().stream("Hi"))
    assert wire.body["stream_options"] == {"include_usage": True}
    assert whole.additional_kwargs["reasoning_content"] == "I think."
    thought, text = whole.content_blocks
    assert thought == {"type": "reasoning", "reasoning": "I think."}
    assert text == {"type": "text", "text": "Hello"}


def test_structured_output_streams_a_thought_once() -> None:
    wire = Wire(events=[event(role="assistant", reasoning_content="I think."), event(content="{}")])
    whole = joined(wire.chat().stream("Hi", response_format={"type": "json_object"}))
    assert (whole.additional_kwargs["reasoning_content"], whole.text) == ("I think.", "{}")
    assert whole.response_metadata["model_provider"] == "autoglm"


def test_without_langchain_the_sentence_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_openai", None)
    monkeypatch.delitem(sys.modules, "autoglm_phone.integrations.langchain")
    with pytest.raises(MissingDependency, match=r"pip install 'langchain-openai"):
        importlib.import_module("autoglm_phone.integrations.langchain")
