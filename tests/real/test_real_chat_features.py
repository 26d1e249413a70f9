"""Tools, forms, choices and log-probabilities by the real decoder, through the real server."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from jsonschema import validate
from running_server import RunningServer

pytestmark = pytest.mark.real

MODEL = "autoglm-phone-9b"
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 30},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["kind", "tall", "old"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 40}, "unit": {"enum": ["c", "f"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def client(server: RunningServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.api, api_key="EMPTY", max_retries=0)


def ask(client: openai.OpenAI, text: str, **more: Any) -> Any:
    more.setdefault("temperature", 0)
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], **more)
    return answer.choices[0]


def test_four_at_once_each_follow_their_own_form(client: openai.OpenAI) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    forms: list[dict[str, Any]] = [
        {"response_format": schema},
        {"response_format": schema, "temperature": 0.9, "seed": 1},
        {"response_format": {"type": "json_object"}, "max_tokens": 200},
        {"extra_body": {"structured_outputs": {"choice": ["yes", "no"]}}},
    ]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda form: ask(client, "Describe a person as JSON.", **form), forms))
    first, second, third, fourth = (answer.message.content for answer in answers)
    assert [answer.finish_reason for answer in answers] == ["stop"] * 4
    for text in (first, second):
        validate(json.loads(text), PERSON)
    assert isinstance(json.loads(third), dict)
    assert fourth in ("yes", "no")


def test_a_tool_is_called_and_its_result_is_used(client: openai.OpenAI) -> None:
    question = "What is the weather in Paris, in celsius?"
    choice = ask(client, question, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False)
    [call] = choice.message.tool_calls
    arguments = json.loads(call.function.arguments)
    validate(arguments, WEATHER["function"]["parameters"])
    assert (choice.finish_reason, "Paris" in arguments["city"], arguments["unit"]) == ("tool_calls", True, "c")
    history: list[Any] = [
        {"role": "user", "content": question},
        choice.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "17 degrees, rain"},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=history, tools=[WEATHER], temperature=0)
    assert "17" in str(answer.choices[0].message.content)


def test_left_to_itself_it_calls_in_its_own_words(client: openai.OpenAI) -> None:
    choice = ask(client, "What is the weather in Paris?", tools=[WEATHER])
    assert choice.finish_reason == "tool_calls"
    assert "<tool_call>" not in str(choice.message.content)


def test_a_thought_goes_before_an_answer_with_a_form(client: openai.OpenAI) -> None:
    body = {"enable_thinking": True, "thinking_token_budget": 20, "structured_outputs": {"regex": "[0-9]{1,3}"}}
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "What is 3*4?"}], temperature=0, extra_body=body
    )
    message: Any = answer.choices[0].message
    assert message.content.isdigit()
    assert message.reasoning_content
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert 0 < (answer.usage.completion_tokens_details.reasoning_tokens or 0) <= 20


def test_greedy_takes_the_likeliest_and_several_answers_differ(client: openai.OpenAI) -> None:
    choice = ask(client, "Say yes.", logprobs=True, top_logprobs=3, max_tokens=5)
    for log in choice.logprobs.content:
        assert log.token == log.top_logprobs[0].token
        assert log.logprob <= 0
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Name any animal."}],
        n=4,
        temperature=1.5,
        seed=3,
        max_tokens=12,
    )
    assert len({choice.message.content for choice in answer.choices}) > 1
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_tokens_and_completions_agree(client: openai.OpenAI, server: RunningServer) -> None:
    prompt = "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\n"
    raw = client.completions.create(model=MODEL, prompt=prompt, temperature=0, max_tokens=8)
    chat = ask(client, "Say yes.", max_tokens=8, extra_body={"use_default_system_prompt": False})
    assert raw.choices[0].text
    counted = client.post(f"{server.url}/tokenize", body={"prompt": prompt}, cast_to=dict[str, Any])
    assert raw.usage is not None
    assert counted["count"] == raw.usage.prompt_tokens
    by_number = client.completions.create(model=MODEL, prompt=counted["tokens"], temperature=0, max_tokens=8)
    assert by_number.choices[0].text == raw.choices[0].text
    assert chat.message.content
