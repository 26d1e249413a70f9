import base64
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_services import House, ScriptedChat, asked

from autoglm_phone.chat.chat_request import ChatRequest, Thinking, Tools
from autoglm_phone.core.conversation import (
    AudioPart,
    Conversation,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolSpec,
)
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.server.fields import UNSUPPORTED, WITHOUT_EFFECT

HOUSE = House()
PNG = b"\x89PNG as good as any"
WAV = b"RIFF as good as any"
PNG_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
WAV_URI = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
TOOL = {
    "type": "function",
    "function": {"name": "tap", "description": "Tap.", "parameters": {"type": "object"}, "strict": True},
}
CALL = {"id": "a", "type": "function", "function": {"name": "tap", "arguments": '{"x": 1}'}}
WAV_BASE64 = base64.b64encode(WAV).decode()


def converted(body: Mapping[str, Any], **settings: Any) -> ChatRequest:
    """What the chat service is asked for."""
    chat = ScriptedChat()
    response = House(chat).post(body, **settings)
    assert response.status_code == 200, response.text
    [request] = chat.requests
    return request


def refused(body: Any, **settings: Any) -> tuple[int, str | None, str]:
    """Status, param and message of a request that never reaches the chat service."""
    chat = ScriptedChat()
    response = House(chat).post(body, **settings)
    assert not chat.requests
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error["param"], error["message"]


def messages_of(request: ChatRequest) -> tuple[Message, ...]:
    assert isinstance(request.conversation, Conversation)
    return request.conversation.messages


def said(*parts: Any, role: str = "user") -> dict[str, Any]:
    return asked(messages=[{"role": role, "content": list(parts)}])


def test_what_is_left_out_or_null_comes_from_the_bundle() -> None:
    default = SamplingParams(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.1)
    nulls = asked(**dict.fromkeys(("temperature", "top_p", "top_k", "seed", "stop", "max_tokens", "audio", "images")))
    for body in (asked(), nulls):
        request = converted(body, default_sampling=default)
        assert request.sampling == default
        assert request.max_tokens is None
        assert request.truncation is None
        assert request.stop == ()
        assert request.thinking == Thinking()
        assert request.tools == Tools()
        assert (request.num_choices, request.top_logprobs, request.grammar) == (1, None, "")
        assert request.use_default_system_prompt


def test_every_sampling_field_arrives() -> None:
    given: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "min_p": 0.05,
        "frequency_penalty": -0.5,
        "presence_penalty": 1.5,
        "repetition_penalty": 1.2,
        "seed": 42,
    }
    body = asked(**given, max_completion_tokens=9, stop=["a", "b"], ignore_eos=True, truncation="auto")
    request = converted(body)
    assert request.sampling == SamplingParams(**given)
    assert (request.max_tokens, request.stop, request.ignore_eos, request.truncation) == (9, ("a", "b"), True, "auto")


def test_top_k_minus_one_is_off() -> None:
    assert converted(asked(top_k=-1)).sampling.top_k == 0


def test_one_stop_string_needs_no_list() -> None:
    assert converted(asked(stop="END")).stop == ("END",)


def test_messages_keep_their_order_and_developers_speak_as_the_system() -> None:
    roles = ["developer", "system", "user", "assistant", "user"]
    body = asked(messages=[{"role": role, "content": f"{number}"} for number, role in enumerate(roles)])
    messages = messages_of(converted(body))
    assert [message.role for message in messages] == ["system", "system", "user", "assistant", "user"]
    assert [message.parts for message in messages] == [(TextPart(f"{number}"),) for number in range(5)]


def test_parts_of_all_kinds_keep_their_order_and_name_their_place() -> None:
    body = said(
        {"type": "text", "text": "What"},
        {"type": "image_url", "image_url": {"url": PNG_URI, "detail": "high"}},
        {"type": "image_url", "image_url": PNG_URI},
        {"type": "input_audio", "input_audio": {"data": WAV_BASE64, "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": WAV_URI}},
        {"type": "text", "text": "is this?"},
    )
    assert messages_of(converted(body)) == (
        Message(
            "user",
            (
                TextPart("What"),
                ImagePart(PNG, "messages[0].content[1]"),
                ImagePart(PNG, "messages[0].content[2]"),
                AudioPart(WAV, "messages[0].content[3]"),
                AudioPart(WAV, "messages[0].content[4]"),
                TextPart("is this?"),
            ),
        ),
    )


def test_top_level_media_stand_in_the_last_user_turn_pictures_first() -> None:
    body = asked(images=[base64.b64encode(PNG).decode(), PNG_URI], audio=WAV_URI)
    body["messages"] = [
        {"role": "user", "content": "before"},
        {"role": "user", "content": "now"},
        {"role": "assistant", "content": "hm"},
    ]
    first, second, third = messages_of(converted(body))
    assert first.parts == (TextPart("before"),)
    assert second.parts == (
        ImagePart(PNG, "images[0]"),
        ImagePart(PNG, "images[1]"),
        AudioPart(WAV, "audio"),
        TextPart("now"),
    )
    assert third.parts == (TextPart("hm"),)


def test_the_articles_extra_body() -> None:
    request = converted(asked(model="autoglm-phone-9b", enable_thinking=True, return_reasoning=True, audio=WAV_BASE64))
    assert request.thinking == Thinking(is_on=True)
    assert messages_of(request)[0].parts[0] == AudioPart(WAV, "audio")


def test_thinking_has_two_places_and_reasoning_two_names() -> None:
    assert converted(asked(chat_template_kwargs={"enable_thinking": True})).thinking.is_on
    assert not converted(asked(include_reasoning=False)).thinking.is_sent
    contradiction = asked(enable_thinking=False, chat_template_kwargs={"enable_thinking": True})
    assert refused(contradiction)[:2] == (400, "enable_thinking")
    assert refused(asked(return_reasoning=True, include_reasoning=False))[:2] == (400, "return_reasoning")


def test_an_older_answer_may_be_a_refusal_or_nothing() -> None:
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "never"}]},
        {"role": "assistant", "content": None, "tool_calls": [], "reasoning_content": "hm"},
        {"role": "user", "content": "b"},
    ]
    texts = [message.parts for message in messages_of(converted(asked(messages=history)))]
    assert texts[1:4] == [(TextPart("no"),), (TextPart("never"),), (TextPart(""),)]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"top_k": -2}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"min_p": 1.1}, "min_p"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"presence_penalty": -2.5}, "presence_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": "x" * 257}, "stop"),
        ({"stop": 5}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"truncation": "middle"}, "truncation"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": ["x"]}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "function", "content": "x", "name": "y"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [CALL]}]}, "messages[0].tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]}, "messages[0].tool_calls[0].function"),
        ({"n": True}, "n"),
        ({"n": 17}, "n"),
        ({"logprobs": 0}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "any", "tools": [TOOL]}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": [TOOL]}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_object"}, "guided_regex": "a"}, "response_format"),
        ({"response_format": {"type": "json_object"}, "ignore_eos": True}, "ignore_eos"),
        ({"guided_json": "{"}, "guided_json"),
        ({"guided_regex": "("}, "guided_regex"),
        ({"guided_choice": []}, "guided_choice"),
        ({"structured_outputs": {"grammar": "start: nothing"}}, "structured_outputs.grammar"),
        ({"structured_outputs": {"structural_tag": "x"}}, "structured_outputs.structural_tag"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": "high", "enable_thinking": False}, "enable_thinking"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ({"thinking_token_budget": -1}, "thinking_token_budget"),
        ({"thinking_token_budget": 5, "thinking_budget_tokens": 6}, "thinking_token_budget"),
        ({"continue_final_message": True}, "messages"),
        ({"add_generation_prompt": False}, "add_generation_prompt"),
        ({"images": "data:"}, "images"),
        ({"images": [5]}, "images[0]"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
    ],
)
def test_a_wrong_value_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    status, named, message = refused(asked(**fields))
    assert (status, named) == (404 if fields == {"model": ""} else 400, param)
    assert message


def test_messages_may_not_be_missing() -> None:
    assert refused({"model": "nano"})[:2] == (400, "messages")


def test_a_refusal_shows_no_long_value() -> None:
    assert len(refused(asked(temperature="x" * 10_000))[2]) < 200


@pytest.mark.parametrize("name", [name for name in UNSUPPORTED if "." not in name])
def test_what_would_change_the_result_is_refused_by_name_unless_it_asks_for_nothing(name: str) -> None:
    status, param, message = refused(asked(**{name: {"something": "else"}}))
    assert (status, param) == (400, name)
    assert f"`{name}`" in message
    for no_op in (None, *UNSUPPORTED[name].no_op):
        assert House().post(asked(**{name: no_op})).status_code == 200


@pytest.mark.parametrize(("name", "value"), [("best_of", True), ("echo", 0), ("min_tokens", False)])
def test_true_is_not_one_and_zero_is_not_false(name: str, value: object) -> None:
    assert refused(asked(**{name: value}))[:2] == (400, name)


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning_effort": "none"}, Thinking(is_on=False)),
        ({"reasoning_effort": "low"}, Thinking(is_on=True, share=0.25)),
        ({"reasoning_effort": "xhigh", "enable_thinking": True}, Thinking(is_on=True, share=0.75)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Thinking(is_on=True, budget=9)),
        ({"thinking": {"type": "disabled"}}, Thinking(is_on=False)),
        ({"thinking_budget_tokens": -1}, Thinking()),
        ({"thinking_token_budget": 0, "enable_thinking": True}, Thinking(is_on=False, budget=0)),
        ({"return_reasoning": False, "enable_thinking": True}, Thinking(is_on=True, is_sent=False)),
    ],
)
def test_a_thought_is_asked_for_under_many_names(fields: dict[str, Any], thinking: Thinking) -> None:
    assert converted(asked(**fields)).thinking == thinking


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ("auto", None)),
        ("none", ("none", None)),
        ("required", ("required", None)),
        ({"type": "function", "function": {"name": "tap"}}, ("required", "tap")),
    ],
)
def test_tools_and_their_choice_arrive(choice: object, expected: tuple[str, str | None]) -> None:
    tools = converted(asked(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)).tools
    assert tools.specs == (ToolSpec("tap", "Tap.", {"type": "object"}, is_strict=True),)
    assert (tools.choice, tools.only, tools.is_parallel) == (*expected, False)


def test_calls_and_their_results_arrive_in_the_order_of_the_calls() -> None:
    second = {"id": "b", "type": "function", "function": {"name": "tap", "arguments": "{}"}}
    body = asked(
        messages=[
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [CALL, second]},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
        ]
    )
    _, calling, *results = messages_of(converted(body))
    assert calling.tool_calls == (ToolCall("a", "tap", '{"x": 1}'), ToolCall("b", "tap", "{}"))
    assert [message.parts for message in results] == [(TextPart("1"),), (TextPart("2"),)]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
        {"structured_outputs": {"json": {"type": "object"}}},
        {"structured_outputs": {"json": '{"type": "object"}'}},
        {"structured_outputs": {"regex": "a+"}},
        {"structured_outputs": {"choice": ["a", "b"]}},
        {"structured_outputs": {"grammar": 'start: "a"'}},
        {"structured_outputs": {"json_object": True}},
        {"guided_json": {"type": "object"}},
        {"guided_regex": "a+"},
        {"guided_choice": ["a"]},
        {"guided_grammar": 'root ::= "a" | "b"'},
        {"grammar": 'root ::= "a"'},
        {"json_schema": {"type": "object"}},
    ],
)
def test_every_name_of_structured_output_gives_a_grammar(fields: dict[str, Any]) -> None:
    assert converted(asked(**fields)).grammar


@pytest.mark.parametrize(
    "fields",
    [{"response_format": {"type": "text"}}, {"grammar": ""}, {"structured_outputs": {"json_object": False}}],
)
def test_what_asks_for_no_form_gives_no_grammar(fields: dict[str, Any]) -> None:
    assert converted(asked(**fields)).grammar == ""


@pytest.mark.parametrize("fields", [{"continue_final_message": True, "add_generation_prompt": False}, {"prefix": True}])
def test_the_last_turn_can_be_continued(fields: dict[str, Any]) -> None:
    last = {"role": "assistant", "content": "Once"} | ({"prefix": True} if "prefix" in fields else {})
    more = {} if "prefix" in fields else fields
    body = asked(messages=[{"role": "user", "content": "a"}, last], **more)
    assert converted(body).continues_last
    assert not converted(asked()).continues_last
    assert refused(body | {"enable_thinking": True})[0] == 400


def test_numbers_of_tokens_arrive() -> None:
    request = converted(asked(logit_bias={"5": -100, "7": 1.5}, stop_token_ids=[9], logprobs=True, top_logprobs=2))
    assert request.sampling.logit_bias == ((5, -100.0), (7, 1.5))
    assert (request.stop_tokens, request.top_logprobs) == ((9,), 2)
    assert converted(asked(logprobs=True)).top_logprobs == 0


@pytest.mark.parametrize("name", [name for name in WITHOUT_EFFECT if "." not in name])
def test_what_has_no_effect_is_accepted_silently(name: str) -> None:
    response = House().post(asked(**{name: "whatever"}))
    assert response.status_code == 200
    assert "x-autoglm-ignored" not in response.headers


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"images": ["%%%"]}, "images[0]"),
        ({"images": [""]}, "images[0]"),
        ({"images": ["data:image/png;base64,"]}, "images[0]"),
        ({"images": ["data:image/png;base64"]}, "images[0]"),
        ({"audio": "ä"}, "audio"),
        ({"images": ["file:///etc/passwd"]}, "images[0]"),
        ({"images": ["https://example.com/x.png"]}, "images[0]"),
    ],
)
def test_media_that_are_none_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(asked(**fields))[:2] == (400, param)


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "file:///etc/passwd", "ftp://x/y", "c:\\x.png", "", "https://[", "iVBORw0KGgo="]
)
def test_an_image_url_is_a_url(url: str) -> None:
    body = said({"type": "image_url", "image_url": {"url": url}})
    assert refused(body)[:2] == (400, "messages[0].content[0]")


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_media_belong_to_users(role: str) -> None:
    body = said({"type": "image_url", "image_url": {"url": PNG_URI}}, role=role)
    assert refused(body)[:2] == (400, "messages[0].content[0]")


def test_top_level_media_need_a_user() -> None:
    assert refused(asked(messages=[{"role": "system", "content": "x"}], audio=WAV_URI))[:2] == (400, "messages")


def test_the_number_of_media_is_bounded() -> None:
    assert refused(asked(images=[PNG_URI] * 3), max_media_parts=2)[:2] == (413, "images[2]")


def test_media_together_stay_below_the_body_limit() -> None:
    part = base64.b64encode(b"x" * 600).decode()
    assert refused(asked(images=[part, part]), max_body_bytes=1000)[0] == 413


def test_unknown_models_are_404_and_the_known_ones_are_named() -> None:
    status, param, message = refused(asked(model="gpt-4o"))
    assert (status, param) == (404, "model")
    assert "autoglm-phone-nano, nano, autoglm-phone-9b" in message
    assert refused(asked(model="autoglm-phone-9b"), strict_model=True)[0] == 404
    assert converted({"messages": [{"role": "user", "content": "x"}]})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["temperature", "stop", "stream", "stream_options", "images", "audio", "tools", "chat_template_kwargs", "seed", "x"]
)
parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "audio_url", "refusal", "x"]) | json_values},
    optional=dict.fromkeys(("text", "image_url", "input_audio", "audio_url"), json_values),
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant", "tool"]) | json_values,
        "content": st.lists(parts | json_values, max_size=3) | json_values,
    },
    optional={"tool_calls": json_values, "name": json_values},
)


@settings(max_examples=150, deadline=None)
@given(
    json_values | st.fixed_dictionaries({"messages": st.lists(messages, max_size=3) | json_values}),
    st.dictionaries(names, json_values),
)
def test_no_json_makes_the_server_fail(body: Any, fields: dict[str, Any]) -> None:
    response = HOUSE.post({**body, **fields} if isinstance(body, dict) else body)
    assert response.status_code < 500, response.text
