"""The Responses API of the real server, as the official client and LangChain's use it."""

import base64
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai.types.responses import FunctionToolParam, Response
from pydantic import BaseModel, SecretStr
from running_server import RunningServer

pytestmark = pytest.mark.real

SCREEN = Path(__file__).parents[1] / "samples" / "settings_screen.png"
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city today.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}


class Step(BaseModel):
    """What a phone is to do next."""

    action: Literal["tap", "type", "back"]
    target: str


@pytest.fixture
def client(server: RunningServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.api, api_key="EMPTY", max_retries=0)


@pytest.fixture
def thinker(server: RunningServer) -> ChatOpenAI:
    return ChatOpenAI(
        model="autoglm-phone-9b",
        base_url=server.api,
        api_key=SecretStr("EMPTY"),
        use_responses_api=True,
        reasoning={"effort": "low", "summary": "auto"},
        temperature=0,
        max_retries=0,
    )


def picture_of(text: str, path: Path) -> Any:
    url = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    parts = [{"type": "input_image", "image_url": url, "detail": "auto"}, {"type": "input_text", "text": text}]
    return [{"role": "user", "content": parts}]


def test_a_response_and_the_dialogue_behind_it(client: openai.OpenAI) -> None:
    first = client.responses.create(model="autoglm-phone-9b", input="My name is Ada. Say hello.", temperature=0)
    assert first.status == "completed"
    Response.model_validate(first.to_dict())
    second = client.responses.create(
        model="autoglm-phone-9b", input="What is my name?", previous_response_id=first.id, temperature=0
    )
    assert "Ada" in second.output_text
    assert second.usage is not None
    assert second.usage.input_tokens_details.cached_tokens > 0
    assert client.responses.retrieve(second.id).output_text == second.output_text
    client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(second.id)


def test_a_stream_with_its_thought(client: openai.OpenAI) -> None:
    thought, text = "", ""
    with client.responses.stream(
        model="autoglm-phone-9b",
        input="What is 17*3?",
        reasoning={"effort": "medium", "summary": "auto"},
        temperature=0,
    ) as stream:
        for event in stream:
            if event.type == "response.reasoning_summary_text.delta":
                thought += event.delta
            if event.type == "response.output_text.delta":
                text += event.delta
        response = stream.get_final_response()
    assert thought
    assert "51" in text
    assert response.output_text == text
    reasoning, _ = response.output
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text == thought
    assert response.usage is not None
    assert 0 < response.usage.output_tokens_details.reasoning_tokens < response.usage.output_tokens


def test_a_picture_is_read(client: openai.OpenAI) -> None:
    first = client.responses.create(
        model="autoglm-phone-9b", input=picture_of("List the words on this screen.", SCREEN), temperature=0
    )
    assert "Settings" in first.output_text
    assert first.usage is not None
    assert first.usage.to_dict()["input_tokens_details"]["image_tokens"] > 0  # type: ignore[index]  # our addition
    second = client.responses.create(
        model="autoglm-phone-9b",
        input="List the words on the screen once more.",
        previous_response_id=first.id,
        temperature=0,
    )
    assert "Settings" in second.output_text


def test_a_structured_answer_is_parsed(client: openai.OpenAI) -> None:
    response = client.responses.parse(
        model="autoglm-phone-9b",
        input="The login button is to be tapped. Which step is next?",
        text_format=Step,
        temperature=0,
    )
    assert isinstance(response.output_parsed, Step)


def test_a_forced_call_is_made_and_its_result_is_read(client: openai.OpenAI) -> None:
    response = client.responses.create(
        model="autoglm-phone-9b",
        input="What is the weather in Oslo?",
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "weather"},
        temperature=0,
    )
    [call] = (item for item in response.output if item.type == "function_call")
    assert "Oslo" in call.arguments
    after = client.responses.create(
        model="autoglm-phone-9b",
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "It rains, 7 degrees."}],
        previous_response_id=response.id,
        tools=[WEATHER],
        tool_choice="none",
        temperature=0,
    )
    assert "7" in after.output_text or "rain" in after.output_text.lower()


def test_langchain_shows_the_thought(thinker: ChatOpenAI) -> None:
    whole = thinker.invoke("What is 17*3?")
    streamed: Any = AIMessageChunk(content="")
    for chunk in thinker.stream("What is 17*3?"):
        streamed += chunk
    for message in (whole, streamed):
        blocks: dict[str, Any] = {block["type"]: block for block in message.content_blocks}
        assert blocks["reasoning"]["reasoning"]
        assert "51" in blocks["text"]["text"]
    follow = [HumanMessage("What is 17*3?"), whole, HumanMessage("And plus one?")]
    assert thinker.invoke(follow).text


def test_langchain_streams_a_forced_call(thinker: ChatOpenAI) -> None:
    chat = thinker.bind_tools([dict(WEATHER)], tool_choice="weather")
    answer: Any = AIMessageChunk(content="")
    for chunk in chat.stream("What is the weather in Oslo?"):
        answer += chunk
    [call] = answer.tool_calls
    assert call["name"] == "weather"
    assert "Oslo" in call["args"]["city"]
    result = ToolMessage("It rains, 7 degrees.", tool_call_id=call["id"])
    assert thinker.invoke([HumanMessage("What is the weather in Oslo?"), answer, result]).text


def test_langchain_parses_a_structured_answer(thinker: ChatOpenAI) -> None:
    step = thinker.with_structured_output(Step).invoke("The login button is to be tapped. Which step is next?")
    assert isinstance(step, Step)
