"""LangChain against a real socket, by the article's snippet and by our class; the model behind it is fake."""

import asyncio
import base64
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from walk_house import UNREADABLE, WalkHouse

from autoglm_phone.integrations.langchain import ChatAutoGLM


def article(address: str, **extra: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="autoglm-phone-9b",
        base_url=f"{address}/v1",
        api_key=SecretStr("EMPTY"),
        temperature=0.5,
        streaming=True,
        extra_body={"return_reasoning": True, **extra},
        max_retries=0,
    )


def test_the_snippet_answers_and_streams() -> None:
    with WalkHouse().live() as address:
        assert article(address).invoke("你是谁?").content == "You said: 你是谁?"
        pieces = [chunk.content for chunk in article(address).stream("Hi")]
    assert "".join(map(str, pieces)) == "You said: Hi"
    assert len(pieces) > 5


def test_top_level_media_go_beside_the_messages() -> None:
    house = WalkHouse()
    sound = f"data:audio/wav;base64,{base64.b64encode(b'press it').decode()}"
    picture = base64.b64encode(b"a button").decode()
    with house.live() as address:
        article(address, images=[picture], audio=sound).invoke("What now?")
    [prompt] = house.model.prompts
    assert prompt.index("a button") < prompt.index("press it") < prompt.index("What now?")


def test_langchains_own_parts_arrive() -> None:
    house = WalkHouse()
    content: list[Any] = [
        {"type": "text", "text": "What now?"},
        {"type": "image", "base64": base64.b64encode(b"a button").decode(), "mime_type": "image/png"},
        {"type": "audio", "base64": base64.b64encode(b"press it").decode(), "mime_type": "audio/wav"},
    ]
    with house.live() as address:
        article(address).invoke([HumanMessage(content=content)])
    [prompt] = house.model.prompts
    assert prompt.index("a button") < prompt.index("press it") < prompt.index("What now?")


def ours(address: str, **settings: Any) -> ChatAutoGLM:
    return ChatAutoGLM(base_url=f"{address}/v1", max_retries=0, **settings)


async def streamed(chat: ChatAutoGLM) -> AIMessageChunk:
    first, *others = [chunk async for chunk in chat.astream("Hi")]
    return add_ai_message_chunks(first, *others)


def test_our_class_keeps_the_thought_however_it_is_asked() -> None:
    with WalkHouse().live() as address:
        chat = ours(address, enable_thinking=True)
        first, *others = chat.stream("Hi")
        answers: list[AIMessage] = [chat.invoke("Hi"), add_ai_message_chunks(first, *others)]
        answers.append(asyncio.run(streamed(chat)))
        without = ours(address).invoke("Hi", enable_thinking=True, return_reasoning=False)
    for answer in answers:
        assert answer.content == "You said: Hi"
        assert answer.additional_kwargs["reasoning_content"]
        assert answer.content_blocks[0]["type"] == "reasoning"
        assert answer.usage_metadata is not None
    assert "reasoning_content" not in without.additional_kwargs


def test_our_class_takes_media_for_all_calls_and_for_one() -> None:
    house = WalkHouse()
    with house.live() as address:
        ours(address, images=[b"a button"]).invoke("What now?", audio=b"press it")
    [prompt] = house.model.prompts
    assert prompt.index("a button") < prompt.index("press it") < prompt.index("What now?")


def test_errors_are_langchains_and_openais() -> None:
    with WalkHouse().live() as address:
        with pytest.raises(openai.BadRequestError, match=r"images\[0\]"):
            ours(address).invoke("Hi", images=[UNREADABLE])
        with pytest.raises(openai.NotFoundError):
            ours(address).invoke("Hi", model="gpt-4o")
