"""litellm, with this server as an OpenAI-compatible provider."""

import asyncio
import gc
import importlib
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel
from running_server import RunningServer
from sample_media import ABOUT_PICTURE, ABOUT_SOUND, BAD_PICTURE, PICTURE, QUESTION, SOUND, data_uri, in_base64

Ask = Callable[..., Any]

pytestmark = [pytest.mark.real, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture(autouse=True)
def _collect_what_it_leaves() -> Iterator[None]:
    """It leaves event loops open; their sockets are not to warn in the middle of the next test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class City(BaseModel):
    name: str
    country: str


@pytest.fixture(scope="module")
def litellm() -> Iterator[ModuleType]:
    """It would fetch a list of prices when it is imported, unless it is told to use its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        module = importlib.import_module("litellm")
        patch.setattr(module, "telemetry", False)
        patch.setattr(module, "suppress_debug_info", True)
        yield module


@pytest.fixture
def common(server: RunningServer) -> dict[str, Any]:
    return {
        "model": "openai/autoglm-phone-9b",
        "api_base": server.api,
        "api_key": "EMPTY",
        "temperature": 0,
        "max_tokens": 40,
        "max_retries": 0,
    }


def user(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def picture(data: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_uri("image/png", data)}}


def test_text_whole_streamed_and_async(litellm: ModuleType, common: dict[str, Any]) -> None:
    messages = user(text(QUESTION))
    whole = litellm.completion(messages=messages, **common).choices[0].message.content
    stream = litellm.completion(messages=messages, stream=True, **common)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    later = asyncio.run(litellm.acompletion(messages=messages, **common)).choices[0].message.content
    assert whole == streamed == later != ""


def test_a_thought_is_kept(litellm: ModuleType, common: dict[str, Any]) -> None:
    common |= {"max_tokens": 120, "extra_body": {"enable_thinking": True}}
    message = litellm.completion(messages=user(text("What is 17*3?")), **common).choices[0].message
    assert message.reasoning_content
    assert "51" in message.content


def test_a_picture_and_a_sound(litellm: ModuleType, common: dict[str, Any]) -> None:
    seen = litellm.completion(messages=user(picture(PICTURE.read_bytes()), text(ABOUT_PICTURE)), **common)
    assert "Settings" in seen.choices[0].message.content
    sound = {"type": "input_audio", "input_audio": {"data": in_base64(SOUND.read_bytes()), "format": "wav"}}
    heard = litellm.completion(messages=user(sound, text(ABOUT_SOUND)), **common)
    assert "settings" in heard.choices[0].message.content


def test_a_tool_and_a_schema(litellm: ModuleType, common: dict[str, Any]) -> None:
    question = user(text("Paris is the capital of France. Give name and country of the city."))
    parsed = litellm.completion(messages=question, response_format=City, **common).choices[0].message.content
    assert City.model_validate_json(parsed) == City(name="Paris", country="France")
    function = {"name": "save_city", "description": "Save a city.", "parameters": City.model_json_schema()}
    message = (
        litellm.completion(
            messages=question, tools=[{"type": "function", "function": function}], tool_choice="required", **common
        )
        .choices[0]
        .message
    )
    assert City.model_validate_json(message.tool_calls[0].function.arguments)


def test_errors_are_its_own(litellm: ModuleType, common: dict[str, Any]) -> None:
    with pytest.raises(litellm.NotFoundError, match="autoglm-phone-nano"):
        litellm.completion(messages=user(text("Hi")), **common | {"model": "openai/gpt-4o"})
    with pytest.raises(litellm.BadRequestError, match=r"messages\[0\]\.content\[0\]"):
        litellm.completion(messages=user(picture(BAD_PICTURE), text("Hi")), **common)
