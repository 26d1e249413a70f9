"""Requests for responses to requests for chats, and what is refused on the way."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.core.errors import RequestError, UnknownModel
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.errors import NotStored, PreviousResponseNotFound
from autoglm_phone.server.responses.asked import Asked, read_request
from autoglm_phone.server.responses.items import user_text
from autoglm_phone.server.responses.request import ResponsesRequest
from autoglm_phone.server.responses.store import ResponseStore, stored_response
from autoglm_phone.server.schemas.generation import JsonSchemaResponse
from autoglm_phone.server.schemas.messages import NamedTool

CONFIG = ServerConfig("nano")
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
TIME = {"type": "function", "name": "time"}
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def read(store: ResponseStore | None = None, **fields: Any) -> Asked:
    return read_request({"input": "Hi", **fields}, store or ResponseStore(10, 1 << 20), CONFIG)


def messages(asked: Asked) -> list[dict[str, Any]]:
    """As the chat has them, without what was left out."""
    return [message.model_dump(exclude_none=True) for message in asked.wire.messages]


def refused(**fields: Any) -> RequestError:
    with pytest.raises(RequestError) as error:
        read(**fields)
    assert error.value.param is None or f"`{error.value.param}`" in str(error.value) or fields.get("model")
    return error.value


def output(*items: dict[str, Any]) -> ResponseStore:
    """A store with one response, `resp_1`, to the words "One?"."""
    store = ResponseStore(10, 1 << 20)
    store.add(stored_response({"id": "resp_1", "output": list(items)}, (user_text("One?"),), None))
    return store


def said(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def test_words_are_a_message_of_the_user_behind_the_instructions() -> None:
    asked = read(instructions="Be brief.")
    assert messages(asked) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    [item] = asked.items
    assert (item["role"], item["content"]) == ("user", [{"type": "input_text", "text": "Hi"}])


def test_all_kinds_of_items() -> None:
    asked = read(
        input=[
            {"role": "developer", "content": "Rules."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": PICTURE},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
            said("Two calls."),
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "time", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "sun"},
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "noon"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        ],
        tools=[WEATHER, TIME],
    )
    developer, user, assistant, first, second, last = messages(asked)
    assert developer["role"] == "developer"
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "input_audio"]
    assert assistant["content"][0]["text"] == "Two calls."
    assert [call["id"] for call in assistant["tool_calls"]] == ["a", "b"]
    assert (first["role"], first["tool_call_id"], first["content"]) == ("tool", "a", "sun")
    assert second["content"][0]["text"] == "noon"
    assert last["content"][0]["refusal"] == "No."
    assert len(asked.items) == 9
    assert all(item["id"] for item in asked.items)
    assert asked.ignored == []


def test_calls_without_words_stand_in_a_turn_of_their_own() -> None:
    call = {"type": "function_call", "name": "time", "arguments": "{}"}
    turns = messages(
        read(
            input=[
                {"role": "user", "content": "What time is it?"},
                {**call, "call_id": "a"},
                {"type": "function_call_output", "call_id": "a", "output": "noon"},
                {**call, "call_id": "b"},
                {"role": "user", "content": "Stop."},
                {**call, "call_id": "c"},
            ]
        )
    )
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert [len(turn.get("tool_calls", [])) for turn in turns] == [0, 1, 0, 1, 0, 1]


def test_fields_go_to_those_of_chats() -> None:
    wire = read(
        model="nano",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=7,
        truncation="disabled",
        parallel_tool_calls=False,
        tools=[WEATHER, TIME],
        tool_choice={"type": "function", "name": "time"},
        text={"format": {"type": "json_schema", "name": "thing", "schema": {"type": "object"}, "strict": True}},
        reasoning={"effort": "low", "summary": "auto"},
        top_logprobs=3,
        top_k=5,
        seed=1,
        thinking_token_budget=9,
        images=[PICTURE],
    ).wire
    assert (wire.temperature, wire.top_p, wire.max_completion_tokens) == (0.5, 0.9, 7)
    assert (wire.truncation, wire.parallel_tool_calls, wire.reasoning_effort) == ("error", False, "low")
    assert (wire.logprobs, wire.top_logprobs, wire.top_k, wire.seed) == (True, 3, 5, 1)
    assert (wire.thinking_token_budget, wire.images) == (9, [PICTURE])
    assert wire.tools is not None
    assert [tool.function.name for tool in wire.tools] == ["weather", "time"]
    assert isinstance(wire.tool_choice, NamedTool)
    assert wire.tool_choice.function.name == "time"
    assert isinstance(wire.response_format, JsonSchemaResponse)
    wanted = wire.response_format.json_schema
    assert (wanted.name, wanted.json_schema, wanted.strict) == ("thing", {"type": "object"}, True)


def test_only_allowed_tools_are_shown() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "time"}]}
    wire = read(tools=[WEATHER, TIME], tool_choice=choice).wire
    assert wire.tools is not None
    assert [tool.function.name for tool in wire.tools] == ["time"]
    assert wire.tool_choice == "required"
    assert refused(tools=[WEATHER], tool_choice=choice).param == "tool_choice.tools[0].name"


def test_who_asks_for_a_summary_gets_a_thought() -> None:
    assert read().wire.enable_thinking is None
    assert read(reasoning={"summary": "auto"}).wire.enable_thinking is True
    assert read(reasoning={"summary": "auto", "effort": "none"}).wire.enable_thinking is None
    assert read(reasoning={"summary": "auto"}, enable_thinking=False).wire.enable_thinking is False
    kwargs = {"enable_thinking": False}
    assert read(reasoning={"generate_summary": "auto"}, chat_template_kwargs=kwargs).wire.enable_thinking is None


def test_log_probabilities_are_included_on_request() -> None:
    assert read().wire.logprobs is None
    assert read(include=["message.output_text.logprobs"]).wire.logprobs is True
    assert read(include=["reasoning.encrypted_content"], top_logprobs=0).wire.logprobs is None


def test_a_dialogue_goes_on_behind_a_stored_response() -> None:
    asked = read(output(said("Yes.")), previous_response_id="resp_1", instructions="Be brief.")
    turns = messages(asked)
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[1]["content"][0]["text"] == "One?"
    assert len(asked.items) == 1
    assert asked.earlier is not None


def test_a_call_of_a_stored_response_can_be_answered() -> None:
    call = {"id": "fc_1", "type": "function_call", "call_id": "a", "name": "time", "arguments": "{}"}
    reply = {"type": "function_call_output", "call_id": "a", "output": "noon"}
    turns = messages(read(output(call), previous_response_id="resp_1", input=[reply]))
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool"]


def test_a_response_that_is_not_stored() -> None:
    error = refused(previous_response_id="resp_9")
    assert isinstance(error, PreviousResponseNotFound)
    assert error.param == "previous_response_id"
    assert "send the whole dialogue in `input`" in str(error)


def test_references_stand_for_items_of_stored_responses() -> None:
    store = output(said("Yes."))
    for reference in ({"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}):
        asked = read(store, input=[{"role": "user", "content": "One?"}, reference, {"role": "user", "content": "Two?"}])
        assert messages(asked)[1]["content"][0]["text"] == "Yes."
    error = refused(input=[{"type": "item_reference", "id": "msg_9"}])
    assert isinstance(error, NotStored)
    assert error.param == "input[0].id"


def test_items_that_come_twice_get_ids_of_their_own() -> None:
    asked = read(output(said("Yes.")), previous_response_id="resp_1", input=[said("Yes."), said("Yes."), said("No.")])
    assert len({item["id"] for item in asked.items} | {"msg_1"}) == 4
    first = {**said("Yes."), "id": "msg_7"}
    assert read(input=[first]).items[0]["id"] == "msg_7"


def test_an_item_of_a_client_is_kept_as_it_is_answered() -> None:
    easy = {"role": "assistant", "content": "Yes."}
    [kept] = read(input=[easy]).items
    assert kept["content"] == said("Yes.")["content"]
    cut = {"type": "function_call", "call_id": "a", "name": "time", "arguments": "{"}
    call, again = read(input=[cut, {**cut, "status": "incomplete"}]).items
    assert (call["status"], call["id"][:3], again["status"]) == ("completed", "fc_", "incomplete")


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"input": None}, "input", "valid list"),
    ({"input": []}, "input", "at least 1"),
    ({"input": [{"role": "user"}]}, "input[0].content", "required"),
    ({"input": [{"type": "computer_call"}]}, "input[0]", "'computer_call'"),
    ({"input": ["Hi"]}, "input[0]", "without a type"),
    ({"input": [{"type": {"type": "message"}, "role": "user"}]}, "input[0]", "without a type"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content[0]", "text"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, "input[0].content[0]", "input_text"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0]", "url"),
    ({"input": [{"type": "function_call", "call_id": "a", "name": "no name", "arguments": ""}]}, "input[0].name", "n"),
    ({"tools": [{"type": "web_search"}]}, "tools[0]", "'web_search'"),
    ({"tools": [{"type": "namespace", "name": "n", "tools": []}]}, "tools[0]", "'namespace'"),
    ({"tools": [{"type": "function", "function": {"name": "time"}}]}, "tools[0].name", "required"),
    ({"tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice", "'mcp'"),
    ({"tool_choice": "required"}, "tool_choice", "names none"),
    ({"tools": [TIME], "tool_choice": {"type": "function", "name": "date"}}, "tool_choice", "'date'"),
    ({"background": True}, "background", "stream"),
    ({"conversation": "conv_1"}, "conversation", "previous_response_id"),
    ({"prompt": {"id": "p"}}, "prompt", "instructions"),
    ({"messages": []}, "messages", "input"),
    ({"max_tokens": 5}, "max_tokens", "max_output_tokens"),
    ({"max_output_tokens": 0}, "max_output_tokens", "greater"),
    ({"temperature": 3}, "temperature", "2"),
    ({"text": {"verbosity": "low"}}, "text.verbosity", "instructions"),
    ({"text": {"format": {"type": "xml"}}}, "text.format", "json_schema"),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "'low'"),
    ({"reasoning": {"effort": "none"}, "enable_thinking": True}, "enable_thinking", "`reasoning.effort`"),
    ({"include": ["everything"]}, "include[0]", "message.output_text.logprobs"),
    ({"metadata": {"a": 1}}, "metadata.a", "string"),
    ({"metadata": {str(i): "" for i in range(17)}}, "metadata", "16"),
    ({"truncation": "error"}, "truncation", "disabled"),
    ({"best_of": 2}, "best_of", ""),
]


@pytest.mark.parametrize(("fields", "param", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused_is_named(fields: dict[str, Any], param: str, words: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert words in str(error)


NAMES = [
    *ResponsesRequest.model_fields,
    *("type", "role", "content", "text", "id", "call_id", "name", "arguments", "output", "summary", "format", "schema"),
    *("image_url", "input_audio", "data", "effort", "mode", "top_k", "stop", "enable_thinking", "messages", "n"),
]
WORDS = ["message", "function", "function_call", "function_call_output", "reasoning", "item_reference", "user", "a"]
PART_TYPES = ["input_text", "input_image", "output_text", "json_schema", "allowed_tools", "auto", "none"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS + PART_TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6))
def test_whatever_is_sent_is_read_or_refused(body: dict[str, Any]) -> None:
    store = ResponseStore(10, 1 << 20)
    with suppress(RequestError):
        read_request(body, store, CONFIG)
    with suppress(RequestError):
        read_request({"input": [body], "tools": [WEATHER]}, store, CONFIG)
    with suppress(RequestError):
        read_request({"input": [{"role": "user", "content": [body]}]}, store, CONFIG)


def test_an_unknown_model() -> None:
    assert isinstance(refused(model="gpt-5"), UnknownModel)


def test_what_asks_for_nothing_passes() -> None:
    asked = read(
        background=False,
        conversation=None,
        stream_options={"include_obfuscation": False},
        service_tier="auto",
        text={"verbosity": "medium", "format": {"type": "text"}},
        reasoning={"context": "auto"},
        include=["web_search_call.action.sources"],
        prompt_cache_key="k",
        max_tool_calls=3,
        n=1,
        input=[{**said("Yes."), "phase": "final_answer"}, {"role": "user", "content": "Hi"}],
    )
    assert asked.ignored == []


def test_unknown_fields_are_named() -> None:
    asked = read(surprise=1, reasoning={"depth": 3}, tools=[{**TIME, "color": "red"}])
    assert sorted(asked.ignored) == ["reasoning.depth", "surprise", "tools[0].color"]
