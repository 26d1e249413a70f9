"""LangChain's class with the article's settings, and ours, with everything that is only there in ours."""

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr
from running_server import RunningServer
from sample_media import ABOUT_PICTURE, ABOUT_SOUND, BAD_PICTURE, PICTURE, QUESTION, SOUND, in_base64

from autoglm_phone.integrations.langchain import ChatAutoGLM

pytestmark = [pytest.mark.real, pytest.mark.allow_hosts(["127.0.0.1"])]


class Sum(BaseModel):
    """A sum of two numbers."""

    a: int
    b: int


@pytest.fixture
def theirs(server: RunningServer) -> ChatOpenAI:
    return ChatOpenAI(
        model="autoglm-phone-9b",
        base_url=server.api,
        api_key=SecretStr("EMPTY"),
        temperature=0,
        max_tokens=60,  # type: ignore[call-arg]  # its alias is max_completion_tokens
        max_retries=0,
    )


@pytest.fixture
def ours(server: RunningServer) -> ChatAutoGLM:
    return ChatAutoGLM(base_url=server.api, temperature=0, max_tokens=120, max_retries=0)  # type: ignore[call-arg]  # as above


def test_theirs_answers_and_streams(theirs: ChatOpenAI) -> None:
    first, *others = theirs.stream(QUESTION)
    assert add_ai_message_chunks(first, *others).text == theirs.invoke(QUESTION).text != ""


def test_theirs_sends_pictures_and_sounds_in_langchains_form(theirs: ChatOpenAI) -> None:
    def about(question: str, **part: str) -> AIMessage:
        return theirs.invoke([HumanMessage([part, {"type": "text", "text": question}])])

    seen = about(ABOUT_PICTURE, type="image", base64=in_base64(PICTURE.read_bytes()), mime_type="image/png")
    assert "Settings" in seen.text
    assert seen.response_metadata["token_usage"]["prompt_tokens_details"]["image_tokens"] > 50
    heard = about(ABOUT_SOUND, type="audio", base64=in_base64(SOUND.read_bytes()), mime_type="audio/flac")
    assert "settings" in heard.text


def test_theirs_binds_tools_and_parses_structured_output(theirs: ChatOpenAI) -> None:
    [call] = theirs.bind_tools([Sum], tool_choice="any").invoke("What is 3 and 4?").tool_calls
    assert Sum(**call["args"])
    assert isinstance(theirs.with_structured_output(Sum).invoke("Add 3 and 4."), Sum)


def test_ours_keeps_the_thought_whole_and_streamed(ours: ChatAutoGLM) -> None:
    whole = ours.invoke("What is 17*3?", enable_thinking=True)
    first, *others = ours.stream("What is 17*3?", enable_thinking=True)
    streamed = add_ai_message_chunks(first, *others)
    for answer in (whole, streamed):  # near each other, and not the same: the second finds its prompt in the cache
        assert "51" in answer.text
        assert "17" in answer.additional_kwargs["reasoning_content"]
    assert streamed.usage_metadata is not None
    assert streamed.usage_metadata["output_token_details"]["reasoning"] > 0


def test_ours_takes_pictures_and_sounds_beside_the_messages(ours: ChatAutoGLM) -> None:
    assert "Settings" in ours.invoke(ABOUT_PICTURE, images=[PICTURE]).text
    assert "settings" in ours.invoke(ABOUT_SOUND, audio=SOUND).text


@pytest.mark.parametrize("name", ["theirs", "ours"])
def test_errors_are_the_clients_own(name: str, request: pytest.FixtureRequest) -> None:
    chat: ChatOpenAI = request.getfixturevalue(name)
    with pytest.raises(openai.NotFoundError):
        chat.invoke("Hi", model="gpt-4o")
    with pytest.raises(openai.BadRequestError, match=r"images\[0\]"):
        chat.invoke("Hi", extra_body={"images": [in_base64(BAD_PICTURE)]})
