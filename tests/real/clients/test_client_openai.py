"""The official client, sync and async, as its users write it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from running_server import RunningServer
from sample_media import ABOUT_PICTURE, ABOUT_SOUND, BAD_PICTURE, PICTURE, QUESTION, SOUND, data_uri, in_base64

MODEL = "autoglm-phone-9b"
ASKED: Any = [{"role": "user", "content": QUESTION}]

pytestmark = [pytest.mark.real, pytest.mark.allow_hosts(["127.0.0.1"])]


class City(BaseModel):
    name: str
    country: str


@pytest.fixture
def client(server: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key="EMPTY", max_retries=0) as client:
        yield client


def about(text: str, part: dict[str, Any]) -> Any:
    return [{"role": "user", "content": [part, {"type": "text", "text": text}]}]


def picture(data: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_uri("image/png", data)}}


def test_text_whole_and_streamed_is_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASKED, temperature=0, max_tokens=30)
    stream = client.chat.completions.create(model=MODEL, messages=ASKED, temperature=0, max_tokens=30, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert streamed == whole.choices[0].message.content != ""


def test_the_stream_helper_gathers_the_answer(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=ASKED, temperature=0, max_tokens=300) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert len(pieces) > 3
    assert final.choices[0].message.content == "".join(pieces)


def test_the_async_client_does_several_things_at_once(server: RunningServer) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=server.api, api_key="EMPTY", max_retries=0) as client:
            create = client.chat.completions.create
            whole = create(model=MODEL, messages=ASKED, max_tokens=20)
            stream = await create(model=MODEL, messages=ASKED, max_tokens=20, stream=True)
            streamed = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return [str((await whole).choices[0].message.content), "".join(streamed)]

    assert all(asyncio.run(ask()))


def test_an_answer_is_parsed_into_a_model(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Paris is the capital of France. Give name and country of the city."}]
    answer = client.chat.completions.parse(
        model=MODEL, messages=messages, response_format=City, temperature=0, max_tokens=60
    )
    assert answer.choices[0].message.parsed == City(name="Paris", country="France")


def test_a_picture(client: openai.OpenAI) -> None:
    messages = about(ABOUT_PICTURE, picture(PICTURE.read_bytes()))
    answer = client.chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=40)
    assert "Settings" in str(answer.choices[0].message.content)


def test_a_sound(client: openai.OpenAI) -> None:
    # flac is not among OpenAI's formats; the server looks at the bytes
    part = {"type": "input_audio", "input_audio": {"data": in_base64(SOUND.read_bytes()), "format": "wav"}}
    answer = client.chat.completions.create(
        model=MODEL, messages=about(ABOUT_SOUND, part), temperature=0, max_tokens=40
    )
    assert "settings" in str(answer.choices[0].message.content)


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="autoglm-phone-nano"):
        client.chat.completions.create(model="gpt-4o", messages=ASKED)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=about(ABOUT_PICTURE, picture(BAD_PICTURE)))
    assert (refused.value.param, refused.value.code) == ("messages[0].content[0]", "media_undecodable")
