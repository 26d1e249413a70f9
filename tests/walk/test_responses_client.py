"""The Responses API: the official client and LangChain's, through the whole server."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai.types.responses import Response
from pydantic import SecretStr
from walk_house import MODEL, SYSTEM_PROMPT, UNREADABLE, WalkHouse

from autoglm_phone.core.errors import WorkerDied
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import EngineStatus, Request, TokenEvent
from autoglm_phone.engine.config import EngineConfig

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'


def walk(
    test: Callable[[openai.AsyncOpenAI], Awaitable[None]], house: WalkHouse | None = None, **settings: Any
) -> None:
    async def go() -> None:
        async with (house or WalkHouse()).client(**settings) as client, asyncio.timeout(20):
            await test(client)

    asyncio.run(go())


def uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def look(text: str, picture: bytes) -> Any:
    parts = [
        {"type": "input_text", "text": text},
        {"type": "input_image", "image_url": uri("image/png", picture), "detail": "auto"},
    ]
    return [{"role": "user", "content": parts}]


@dataclass
class SpeakingEngine:
    """Says the same to everybody, a byte a token; then it ends, or dies."""

    text: str
    error: WorkerDied | None = None

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        for byte in self.text.encode():
            yield TokenEvent((TokenId(byte),))
        if self.error is not None:
            raise self.error
        yield TokenEvent((), finish="stop")

    def status(self) -> EngineStatus:
        return EngineStatus("ready")


def calling() -> WalkHouse:
    """A model that always calls, with room for its tools."""
    return WalkHouse(engine=SpeakingEngine(CALL), engine_config=EngineConfig(max_model_len=4096, kv_tokens=8192))


def test_a_response_in_one_piece() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        response = await client.responses.create(model="autoglm-phone-9b", input="Hi", metadata={"a": "b"})
        assert response.output_text == "You said: Hi"
        assert (response.status, response.model, response.metadata) == ("completed", MODEL, {"a": "b"})
        assert response.usage is not None
        assert response.usage.output_tokens == len("You said: Hi")
        Response.model_validate(response.to_dict())

    walk(test)


def test_a_stream_comes_in_events_and_is_put_together_by_the_client() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        pieces, seen = [], []
        async with client.responses.stream(model=MODEL, input="Hi") as stream:
            async for event in stream:
                seen.append(event.type)
                if event.type == "response.output_text.delta":
                    pieces.append(event.delta)
            response = await stream.get_final_response()
        assert "".join(pieces) == response.output_text == "You said: Hi"
        assert len(pieces) > 5
        assert (seen[0], seen[1], seen[-1]) == ("response.created", "response.in_progress", "response.completed")

    walk(test)


def test_instructions_are_the_system_prompt_of_one_request() -> None:
    house = WalkHouse()

    async def test(client: openai.AsyncOpenAI) -> None:
        first = await client.responses.create(model=MODEL, input="Hi", instructions="Be brief.")
        await client.responses.create(model=MODEL, input="And?", previous_response_id=first.id)

    walk(test, house)
    first, second = house.model.prompts
    assert "Be brief." in first
    assert SYSTEM_PROMPT not in first
    assert "Be brief." not in second
    assert second.index(SYSTEM_PROMPT) < second.index("You said: Hi") < second.index("And?")


def test_responses_are_kept_shown_and_deleted() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        response = await client.responses.create(model=MODEL, input=look("What is this?", b"a button"))
        assert (await client.responses.retrieve(response.id)).to_dict() == response.to_dict()
        [item] = [item async for item in client.responses.input_items.list(response.id)]
        assert item.type == "message"
        assert [part.type for part in item.content] == ["input_text", "input_image"]
        await client.responses.delete(response.id)
        for gone in (client.responses.retrieve(response.id), client.responses.delete(response.id)):
            with pytest.raises(openai.NotFoundError):
                await gone
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(model=MODEL, input="And?", previous_response_id=response.id)
        assert refused.value.code == "previous_response_not_found"

    walk(test)


def test_a_dialogue_branches_with_its_picture() -> None:
    house = WalkHouse()

    async def test(client: openai.AsyncOpenAI) -> None:
        first = await client.responses.create(model=MODEL, input=look("Look", b"a button"))
        for question in ("Left?", "Right?"):
            await client.responses.create(model=MODEL, input=question, previous_response_id=first.id)

    walk(test, house)
    _, left, right = house.model.prompts
    assert left.index("a button") < left.index("Left?")
    assert right.index("a button") < right.index("Right?")
    assert "Left?" not in right


def test_a_long_list_of_items_comes_in_pages() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        said: Any = [{"role": "user", "content": str(number)} for number in range(7)]
        response = await client.responses.create(model=MODEL, input=said)
        items = client.responses.input_items.list(response.id, limit=3, order="asc")
        texts = [item.content[0].text async for item in items]  # type: ignore[union-attr,index]  # all are texts
        assert texts == [str(number) for number in range(7)]

    walk(test)


def test_what_the_model_put_out_can_be_sent_back() -> None:
    """As the guide tells clients that keep the dialogue themselves: `input += response.output`."""
    house = WalkHouse()

    async def test(client: openai.AsyncOpenAI) -> None:
        dialogue: Any = [{"role": "user", "content": "One?"}]
        first = await client.responses.create(
            model=MODEL, input=dialogue, store=False, extra_body={"enable_thinking": True}
        )
        dialogue += [*first.output, {"role": "user", "content": "Two?"}]
        second = await client.responses.create(model=MODEL, input=dialogue, store=False)
        assert second.output_text == "You said: Two?"

    walk(test, house)
    assert "You said: One?" in house.model.prompts[-1]


def test_a_thought_is_an_item_that_may_be_left_out() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        asks: list[dict[str, Any]] = [
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"reasoning": {"summary": "auto"}},
            {"extra_body": {"enable_thinking": True}},
        ]
        for ask in asks:
            response = await client.responses.create(model=MODEL, input="Hi", **ask)
            thought, message = response.output
            assert thought.type == "reasoning"
            assert thought.summary[0].text
            assert message.type == "message"
            assert response.output_text == "You said: Hi"
        hidden = await client.responses.create(
            model=MODEL, input="Hi", extra_body={"enable_thinking": True, "return_reasoning": False}
        )
        assert [item.type for item in hidden.output] == ["message"]

    walk(test)


def test_calls_are_streamed_and_answered() -> None:
    async def ask(client: openai.AsyncOpenAI) -> None:
        async with client.responses.stream(model=MODEL, input="Weather?", tools=[WEATHER]) as stream:
            pieces = [event.delta async for event in stream if event.type == "response.function_call_arguments.delta"]
            response = await stream.get_final_response()
        [call] = response.output
        assert call.type == "function_call"
        assert (call.name, call.arguments, call.status) == ("weather", '{"city": "Oslo"}', "completed")
        assert "".join(pieces) == call.arguments
        reply: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        after = await client.responses.create(
            model=MODEL, input=[reply], previous_response_id=response.id, tools=[WEATHER]
        )
        assert after.status == "completed"

    walk(ask, calling())


def test_tokens_are_counted_without_an_answer() -> None:
    house = WalkHouse()

    async def test(client: openai.AsyncOpenAI) -> None:
        first = await client.responses.create(model=MODEL, input="Hi")
        asks: list[dict[str, Any]] = [{"input": "Hi"}, {"input": "And?", "previous_response_id": first.id}]
        for ask in asks:
            counted = await client.responses.input_tokens.count(model=MODEL, **ask)
            assert counted.object == "response.input_tokens"
            answered = await client.responses.create(model=MODEL, **ask)
            assert answered.usage is not None
            assert counted.input_tokens == answered.usage.input_tokens

    walk(test, house)
    assert len(house.model.prompts) == 3


def test_the_limit_makes_a_response_incomplete() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        response = await client.responses.create(model=MODEL, input="Hi", max_output_tokens=4)
        assert (response.status, response.output_text) == ("incomplete", "You ")
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == "max_output_tokens"
        stream = await client.responses.create(model=MODEL, input="Hi", max_output_tokens=4, stream=True)
        assert [event.type async for event in stream][-1] == "response.incomplete"

    walk(test)


def test_log_probabilities_are_told_on_request() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        response = await client.responses.create(
            model=MODEL, input="Hi", include=["message.output_text.logprobs"], top_logprobs=2
        )
        [message] = response.output
        assert message.type == "message"
        [part] = message.content
        assert part.type == "output_text"
        assert part.logprobs is not None
        assert "".join(entry.token for entry in part.logprobs) == "You said: Hi"

    walk(test)


def test_faults_are_told_in_the_clients_own_words() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError) as refused:
                await client.responses.create(model=MODEL, input=look("Look", UNREADABLE), stream=stream)
            assert refused.value.param == "input[0].content[1]"
            with pytest.raises(openai.BadRequestError, match="context_length_exceeded"):
                await client.responses.create(model=MODEL, input="x" * 600, stream=stream)
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model="gpt-5", input="Hi")
        with pytest.raises(openai.BadRequestError, match="web_search"):
            await client.responses.create(model=MODEL, input="Hi", tools=[{"type": "web_search"}])

    walk(test)


def test_an_engine_that_dies_in_the_middle_ends_the_stream_with_an_error() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        stream = aiter(await client.responses.create(model=MODEL, input="Hi", stream=True))
        pieces: list[str] = []
        while len(pieces) < 2:
            event = await anext(stream)
            pieces += [event.delta] if event.type == "response.output_text.delta" else []
        assert pieces == ["a", "b"]
        closing = [(await anext(stream)).type for _ in range(3)]
        assert closing[-1] == "response.output_item.done"
        with pytest.raises(openai.APIError, match="the decoder died"):
            await anext(stream)

    walk(test, WalkHouse(engine=SpeakingEngine("ab", WorkerDied("the decoder died"))))


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_its_slot(stream: bool) -> None:
    house = WalkHouse(engine_config=EngineConfig(max_model_len=512, kv_tokens=2048, max_running=1, max_waiting=0))
    body = {"model": MODEL, "input": "Hi", "stream": stream, "ignore_eos": True, "max_output_tokens": 300}
    sample = house.metrics.registry.get_sample_value

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110  # what is waited for happens in a thread, without an event
            await asyncio.sleep(0.001)

    async def test(address: str) -> None:
        async with httpx2.AsyncClient(base_url=address, timeout=20) as client, asyncio.timeout(20):
            house.model.gate.clear()
            asking = asyncio.create_task(client.post("/v1/responses", json=body))
            await until(house.model.is_asked.is_set)
            asking.cancel()
            await until(lambda: sample("autoglm_chats_total", {"outcome": "left"}) == 1)
            house.model.gate.set()
            await until(lambda: sample("autoglm_requests", {"state": "running"}) == 0)
            assert (await client.post("/v1/responses", json={"input": "Hi"})).status_code == 200

    with house.live() as address:
        asyncio.run(test(address))


def langchain(address: str, **fields: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="autoglm-phone-9b",
        base_url=f"{address}/v1",
        api_key=SecretStr("EMPTY"),
        use_responses_api=True,
        max_retries=0,
        **fields,
    )


def test_langchain_shows_the_thought() -> None:
    with WalkHouse().live() as address:
        chat = langchain(address, reasoning={"effort": "low", "summary": "auto"})
        whole = chat.invoke("Hi")
        streamed: Any = None
        for chunk in chat.stream("Hi"):
            streamed = chunk if streamed is None else streamed + chunk
    assert isinstance(streamed, AIMessageChunk)
    for message in (whole, streamed):
        thought, text = (block for block in message.content_blocks if block["type"] in ("reasoning", "text"))
        assert thought["reasoning"]  # type: ignore[typeddict-item]  # it is the block of the thought
        assert text["text"] == "You said: Hi"  # type: ignore[typeddict-item]
        assert message.usage_metadata is not None


def test_langchain_sends_a_dialogue_back_with_its_thought() -> None:
    with WalkHouse().live() as address:
        chat = langchain(address, reasoning={"effort": "low", "summary": "auto"})
        dialogue: list[Any] = [HumanMessage("One?")]
        dialogue += [chat.invoke(dialogue), HumanMessage("Two?")]
        assert chat.invoke(dialogue).text == "You said: Two?"
        follow = langchain(address, use_previous_response_id=True)
        assert follow.invoke(dialogue).text == "You said: Two?"


def test_langchain_calls_tools_and_brings_their_results() -> None:
    with calling().live() as address:
        chat = langchain(address).bind_tools([WEATHER])
        for answer in (chat.invoke("Weather?"), sum(chat.stream("Weather?"), start=AIMessageChunk(content=""))):
            assert isinstance(answer, AIMessage)
            [call] = answer.tool_calls
            assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
            reply = ToolMessage("rain", tool_call_id=call["id"])
            assert chat.invoke([HumanMessage("Weather?"), answer, reply]).tool_calls
