"""POST /v1/completions: prompts as their callers write them, several at once, echoed, streamed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from scripted_services import PROMPT, USAGE, House, ScriptedChat

from autoglm_phone.chat.chat_request import ChatRequest, RawPrompt
from autoglm_phone.chat.delta import ContentDelta, Delta, Finished, Started, TokenChance, TokenLog
from autoglm_phone.chat.prompt_builder import BuiltPrompt

LOG = TokenLog(TokenChance("é".encode()[:1], -0.5), (TokenChance(b"e", -1.5),), offset=1)


class EchoingChat(ScriptedChat):
    """Answers each prompt with its own text, once for every choice."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        assert isinstance(request.conversation, RawPrompt)
        yield Started(len(PROMPT), 0)
        for choice in range(request.num_choices):
            text = request.conversation.text or str(request.conversation.tokens)
            yield ContentDelta(f"<{text}>", choice, (LOG,) if request.top_logprobs is not None else ())
        for choice in range(request.num_choices):
            yield Finished("stop", USAGE, choice)

    async def prepare(self, request: ChatRequest) -> BuiltPrompt:
        raise AssertionError("nobody asks for this")


def post(body: dict[str, Any], chat: EchoingChat | None = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with House(chat or EchoingChat()).client() as client:
            return await client.post("/v1/completions", json=body)

    return asyncio.run(ask())


def texts(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    choices = response.json()["choices"]
    assert [choice["index"] for choice in choices] == list(range(len(choices)))
    return [choice["text"] for choice in choices]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("one", ["<one>"]),
        (["one", "two"], ["<one>", "<two>"]),
        ([1, 2], ["<(1, 2)>"]),
        ([[1, 2], [3]], ["<(1, 2)>", "<(3,)>"]),
    ],
)
def test_every_form_of_a_prompt(prompt: object, expected: list[str]) -> None:
    assert texts(post({"prompt": prompt})) == expected


def test_several_answers_to_several_prompts_are_numbered_prompt_by_prompt_and_counted_once_a_prompt() -> None:
    response = post({"prompt": ["a", "b"], "n": 2, "echo": True})
    assert texts(response) == ["a<a>", "a<a>", "b<b>", "b<b>"]
    usage = response.json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
        2 * USAGE.prompt_tokens,
        4 * USAGE.completion_tokens,
    )


def test_fields_arrive_and_an_answer_is_short_unless_more_is_asked_for() -> None:
    chat = EchoingChat()
    post({"prompt": "a", "stop": "x", "stop_token_ids": [3], "guided_regex": "a+", "temperature": 0}, chat)
    [request] = chat.requests
    assert (request.max_tokens, request.stop, request.stop_tokens, request.sampling.temperature) == (
        16,
        ("x",),
        (3,),
        0,
    )
    assert request.grammar


def test_log_probabilities_have_their_places_and_parts_of_characters_show_as_bytes() -> None:
    [choice] = post({"prompt": "a", "logprobs": 1}).json()["choices"]
    assert choice["logprobs"] == {
        "tokens": ["bytes:\\xc3"],
        "token_logprobs": [-0.5],
        "top_logprobs": [{"e": -1.5}],
        "text_offset": [1],
    }


def test_a_stream_is_echo_text_end_usage_and_done() -> None:
    body = {"prompt": "a", "echo": True, "stream": True, "stream_options": {"include_usage": True}}
    lines = post(body).text.split("\n\n")[:-1]
    assert lines[-1] == "data: [DONE]"
    *chunks, counted = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["a", "<a>", ""]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert (counted["choices"], counted["usage"]["prompt_tokens"]) == ([], USAGE.prompt_tokens)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": [[]]}, "prompt[0]"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"prompt": ["a"] * 17}, "prompt"),
        ({"prompt": ["a"] * 9, "n": 2}, "n"),
        ({"prompt": "a", "echo": True, "logprobs": 1}, "logprobs"),
        ({"prompt": [10**30], "echo": True}, "prompt"),
        ({"prompt": [-1], "echo": True}, "prompt"),
        ({"prompt": "a", "logprobs": 21}, "logprobs"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "best_of": 2}, "best_of"),
        ({"prompt": "a", "stream_options": {"include_usage": True}}, "stream_options"),
        ({"prompt": "a", "ignore_eos": True, "guided_regex": "a"}, "ignore_eos"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    response = post(fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_the_model_must_be_served() -> None:
    assert post({"model": "gpt-9", "prompt": "a"}).status_code == 404
