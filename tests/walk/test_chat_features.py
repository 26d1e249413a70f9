"""Tools, forms, choices, log-probabilities and completions through the whole house, with the official client."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from jsonschema import validate
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel
from walk_house import MODEL, WalkHouse

from autoglm_phone.engine.config import EngineConfig

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
TAP: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "tap",
        "description": "Taps the screen.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"x": {"type": "integer"}, "how": {"enum": ["short", "long"]}},
            "required": ["x", "how"],
            "additionalProperties": False,
        },
    },
}
Test = Callable[[openai.AsyncOpenAI], Awaitable[None]]


def roomy_house() -> WalkHouse:
    """The tiny vocabulary takes a token a byte, and tools are described at length."""
    return WalkHouse(engine_config=EngineConfig(max_model_len=2048, kv_tokens=4096))


def walk(test: Test, house: WalkHouse | None = None) -> None:
    async def run() -> None:
        async with (house or roomy_house()).client() as client:
            await test(client)

    asyncio.run(run())


class Place(BaseModel):
    name: str
    floor: int


def test_an_answer_follows_its_schema_whole_and_streamed() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        parsed = await client.chat.completions.parse(model=MODEL, messages=HI, response_format=Place)
        assert isinstance(parsed.choices[0].message.parsed, Place)
        stream = await client.chat.completions.create(
            model=MODEL, messages=HI, response_format={"type": "json_object"}, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert isinstance(json.loads(text), dict)

    walk(test)


@pytest.mark.parametrize(
    ("form", "expected"),
    [({"choice": ["Yes", "You"]}, {"Yes", "You"}), ({"regex": "[0-9]{3}"}, None), ({"grammar": 'start: "ok"'}, {"ok"})],
)
def test_vllms_forms(form: dict[str, Any], expected: set[str] | None) -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(model=MODEL, messages=HI, extra_body={"structured_outputs": form})
        text = answer.choices[0].message.content
        assert text in expected if expected is not None else len(str(text)) == 3

    walk(test)


def test_a_required_call_is_valid_and_streams_as_openai_does() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(
            model=MODEL, messages=HI, tools=[TAP], tool_choice="required", parallel_tool_calls=False, max_tokens=200
        )
        [choice] = answer.choices
        [call] = choice.message.tool_calls or []
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        assert call.type == "function"
        assert call.id
        validate(json.loads(call.function.arguments), dict(TAP["function"]["parameters"]))
        async with client.chat.completions.stream(
            model=MODEL,
            messages=HI,
            tools=[TAP],
            tool_choice={"type": "function", "function": {"name": "tap"}},
            parallel_tool_calls=False,
            max_tokens=200,
        ) as stream:
            streamed = (await stream.get_final_completion()).choices[0]
        assert streamed.finish_reason == "tool_calls"
        [again] = streamed.message.tool_calls or []
        assert again.type == "function"
        assert (again.function.name, again.function.arguments) == ("tap", call.function.arguments)

    walk(test)


def test_results_go_back_into_the_history() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        calling = await client.chat.completions.create(
            model=MODEL, messages=HI, tools=[TAP], tool_choice="required", parallel_tool_calls=False, max_tokens=200
        )
        message = calling.choices[0].message
        [call] = message.tool_calls or []
        history: list[Any] = [
            *HI,
            message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "tapped"},
        ]
        answer = await client.chat.completions.create(model=MODEL, messages=history, tools=[TAP])
        assert answer.choices[0].finish_reason == "stop"
        assert "tapped" in str(answer.choices[0].message.content)

    house = roomy_house()
    walk(test, house)
    assert "<tool_response>\ntapped\n</tool_response>" in house.model.prompts[-1]
    assert '<tool_call>\n{"name": "tap", "arguments": {' in house.model.prompts[-1]


def test_several_choices_whole_and_streamed() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(model=MODEL, messages=HI, n=3)
        assert [(c.index, c.message.content, c.finish_reason) for c in answer.choices] == [
            (index, "You said: Hi", "stop") for index in range(3)
        ]
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 3 * len("You said: Hi")
        stream = await client.chat.completions.create(
            model=MODEL, messages=HI, n=2, stream=True, stream_options={"include_usage": True}
        )
        texts = ["", ""]
        chunks = [chunk async for chunk in stream]
        for choice in [choice for chunk in chunks for choice in chunk.choices]:
            texts[choice.index] += choice.delta.content or ""
        assert texts == ["You said: Hi"] * 2
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.prompt_tokens == answer.usage.prompt_tokens

    walk(test)


def test_log_probabilities_are_those_of_the_tokens_sent() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(
            model=MODEL, messages=HI, logprobs=True, top_logprobs=2, stop=[" Hi"]
        )
        logs = answer.choices[0].logprobs
        assert logs is not None
        assert "".join(log.token for log in logs.content or []) == answer.choices[0].message.content == "You said:"
        assert all(len(log.top_logprobs) == 2 for log in logs.content or [])
        stream = await client.chat.completions.create(model=MODEL, messages=HI, logprobs=True, stream=True)
        tokens = [
            log.token
            async for chunk in stream
            for choice in chunk.choices
            for log in (choice.logprobs.content if choice.logprobs else None) or []
        ]
        assert "".join(tokens) == "You said: Hi"

    walk(test)


def test_bias_and_stop_tokens() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        banned = await client.chat.completions.create(
            model=MODEL, messages=HI, logit_bias={str(ord("Y")): -100}, max_tokens=1
        )
        assert banned.choices[0].message.content != "Y"
        stopped = await client.chat.completions.create(
            model=MODEL, messages=HI, extra_body={"stop_token_ids": [ord(":")]}
        )
        assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("You said", "stop")

    walk(test)


def test_the_last_turn_is_continued() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(
            model=MODEL,
            messages=[*HI, {"role": "assistant", "content": "You said"}],
            extra_body={"continue_final_message": True, "add_generation_prompt": False},
        )
        assert answer.choices[0].message.content == ": Hi"

    walk(test)


def test_completions_whole_and_streamed() -> None:
    prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"

    async def test(client: openai.AsyncOpenAI) -> None:
        answer = await client.completions.create(model=MODEL, prompt=[prompt, prompt], logprobs=1, max_tokens=40)
        assert [choice.text for choice in answer.choices] == ["You said: Hi"] * 2
        logs = answer.choices[0].logprobs
        assert logs is not None
        assert logs.text_offset == list(range(len("You said: Hi")))
        stream = await client.completions.create(model=MODEL, prompt=prompt, echo=True, stream=True, max_tokens=40)
        assert "".join([chunk.choices[0].text async for chunk in stream]) == f"{prompt}You said: Hi"

    walk(test)


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [({"not": {"type": "string"}}, "not"), ({"$ref": "http://example.com/x"}, "$ref"), ({"type": "text"}, "type")],
)
def test_a_schema_that_cannot_be_kept_to_is_refused_with_its_keyword(schema: dict[str, Any], keyword: str) -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.BadRequestError, match=rf"{keyword[1:]}") as refused:
            await client.chat.completions.create(
                model=MODEL,
                messages=HI,
                response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
            )
        assert refused.value.param == "response_format.json_schema.schema"

    walk(test)
