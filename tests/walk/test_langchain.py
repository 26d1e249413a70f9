"""The article's LangChain snippet against a real socket; the model behind it is fake."""

import base64
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from walk_house import WalkHouse


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
    assert prompt.index("What now?") < prompt.index("a button") < prompt.index("press it")
