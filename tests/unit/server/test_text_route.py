"""Tokens of a text and back, rendered templates, what the decoder is; and what is honestly not offered."""

import asyncio
from typing import Any

import httpx
import pytest
from scripted_services import PROMPT, House, ScriptedChat, asked

ALL = ["/tokenize", "/detokenize", "/apply-template", "/v1/chat/completions/input_tokens", "/v1/embeddings"]


def post(path: str, body: dict[str, Any], chat: ScriptedChat | None = None, **settings: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with House(chat or ScriptedChat()).client(**settings) as client:
            return await client.post(path, json=body)

    return asyncio.run(ask())


@pytest.mark.parametrize("field", ["prompt", "content"])
def test_a_text_and_its_tokens(field: str) -> None:
    answer = post("/tokenize", {field: "hé<|im_end|>"}).json()
    assert answer == {"count": 4, "max_model_len": 8192, "tokens": [104, 0xC3, 0xA9, 257]}
    assert post("/detokenize", {"tokens": answer["tokens"]}).json() == {
        "prompt": "hé<|im_end|>",
        "content": "hé<|im_end|>",
    }


def test_control_tokens_may_be_left_plain_and_tokens_shown_as_text() -> None:
    plain = post("/tokenize", {"prompt": "<|im_end|>", "parse_special": False, "return_token_strs": True}).json()
    assert plain["token_strs"] == list("<|im_end|>")
    pieces = post("/tokenize", {"content": "a<|im_end|>", "with_pieces": True}).json()["tokens"]
    assert pieces == [{"id": 97, "piece": "a"}, {"id": 257, "piece": "<|im_end|>"}]


def test_messages_are_tokenised_and_rendered_as_they_would_be_answered() -> None:
    chat = ScriptedChat()
    messages = asked()["messages"]
    assert post("/tokenize", {"messages": messages}, chat).json()["tokens"] == list(PROMPT.tokens)
    assert post("/apply-template", asked(), chat).json() == {"prompt": "<|im_start|>user\nHi"}
    counted = post("/v1/chat/completions/input_tokens", asked(), chat).json()
    assert counted == {
        "object": "response.input_tokens",
        "input_tokens": len(PROMPT),
        "input_tokens_details": {"image_tokens": 2, "audio_tokens": 1},
    }
    assert len(chat.requests) == 3


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/tokenize", {}, 400, "prompt"),
        ("/tokenize", {"prompt": "a", "content": "b"}, 400, "prompt"),
        ("/tokenize", {"prompt": "a" * 2_000_001}, 400, "prompt"),
        ("/tokenize", {"messages": []}, 400, "messages"),
        ("/tokenize", {"prompt": "a", "model": "x"}, 404, "model"),
        ("/detokenize", {}, 400, "tokens"),
        ("/detokenize", {"tokens": [258]}, 400, "tokens"),
        ("/detokenize", {"tokens": [-1]}, 400, "tokens"),
        ("/detokenize", {"tokens": ["a"]}, 400, "tokens[0]"),
        ("/apply-template", {}, 400, "messages"),
        ("/v1/chat/completions/input_tokens", {"messages": [{"role": "user"}]}, 400, "messages[0].content"),
        ("/v1/embeddings", {"input": "x"}, 501, None),
    ],
)
def test_faults_are_named(path: str, body: dict[str, Any], status: int, param: str | None) -> None:
    response = post(path, body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize("path", ALL)
def test_a_key_is_asked_for(path: str) -> None:
    assert post(path, asked(), api_key="k").status_code == 401


def test_props_tell_what_llama_cpps_clients_ask() -> None:
    props = House().get("/props").json()
    assert props["default_generation_settings"]["n_ctx"] == 8192
    assert props["modalities"] == {"vision": True, "audio": False}
    assert "im_start" in props["chat_template"]
    assert (props["total_slots"], props["eos_token"]) == (8, "<|im_end|>")
    assert House().get("/props", api_key="k").status_code == 401
