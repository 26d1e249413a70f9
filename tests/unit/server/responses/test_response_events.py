"""Deltas to events. Every event is checked against the types of OpenAI's own client."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from autoglm_phone.chat.delta import (
    ContentDelta,
    Delta,
    Finished,
    ReasoningDelta,
    Started,
    TokenChance,
    TokenLog,
    ToolCallDelta,
    Usage,
)
from autoglm_phone.core.errors import InvalidRequest, Overloaded, WorkerDied
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.server.responses.events import ResponseEvents
from autoglm_phone.server.responses.form import ResponseForm, asked_fields
from autoglm_phone.server.responses.request import ResponsesRequest

USAGE = Usage(30, 9, cached_tokens=8, image_tokens=5, audio_tokens=4, reasoning_tokens=2, dropped_messages=1)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def machine(**fields: Any) -> ResponseEvents:
    asked = asked_fields(ResponsesRequest.model_validate({"input": "Hi", **fields}), SamplingParams(temperature=0.5))
    return ResponseEvents(ResponseForm("resp_1", 1000, "nano", asked), clock=lambda: 1003.7)


def unfold(*deltas: Delta, **fields: Any) -> list[dict[str, Any]]:
    events = machine(**fields)
    told = events.opening()
    for delta in (Started(30, 0), *deltas):
        told += events.push(delta)
    check(told)
    return told


def check(told: list[dict[str, Any]]) -> None:
    """What OpenAI's form promises of any stream."""
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    open_items: dict[str, int] = {}
    for event in told:
        assert EVENT.validate_python(event).type == event["type"]
        if event["type"] == "response.output_item.added":
            assert event["item"]["id"] not in open_items
            open_items[event["item"]["id"]] = event["output_index"]
        elif "item_id" in event:
            assert open_items[event["item_id"]] == event["output_index"]
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert done == told[-1]["response"]["output"]
    assert list(open_items.values()) == list(range(len(done)))
    Response.model_validate(told[-1]["response"])


def names(told: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told]


def test_a_message() -> None:
    told = unfold(ContentDelta("Hel"), ContentDelta("lo"), Finished("stop", USAGE))
    assert names(told) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    created, added, completed = told[0], told[2], told[-1]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    assert (added["item"]["content"], added["item"]["status"]) == ([], "in_progress")
    response = completed["response"]
    assert (response["status"], response["created_at"], response["completed_at"]) == ("completed", 1000, 1003)
    [message] = response["output"]
    assert message == {
        "id": added["item"]["id"],
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello"}],
    }
    assert response["usage"] == {
        "input_tokens": 30,
        "input_tokens_details": {
            "cached_tokens": 8,
            "cache_write_tokens": 22,
            "image_tokens": 5,
            "audio_tokens": 4,
            "text_tokens": 21,
        },
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 39,
        "autoglm": {"dropped_messages": 1},
    }


def test_a_thought_is_an_item_with_a_summary_before_the_message() -> None:
    told = unfold(ReasoningDelta("h"), ReasoningDelta("m"), ContentDelta("42"), Finished("stop", USAGE))
    assert names(told)[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert told[2]["item"] == {"id": told[2]["item"]["id"], "type": "reasoning", "summary": []}
    thought, message = told[-1]["response"]["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert thought["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert message["content"][0]["text"] == "42"


def test_calls_are_items_of_their_own() -> None:
    told = unfold(
        ContentDelta("I look."),
        ToolCallDelta(0, id="call_a", name="weather"),
        ToolCallDelta(0, '{"city": '),
        ToolCallDelta(0, '"Oslo"}'),
        ToolCallDelta(1, "{}", id="call_b", name="time"),
        Finished("tool_calls", USAGE),
    )
    assert names(told)[8:13] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    response = told[-1]["response"]
    assert response["status"] == "completed"
    _, first, second = response["output"]
    assert (first["call_id"], first["name"], first["arguments"]) == ("call_a", "weather", '{"city": "Oslo"}')
    assert (second["call_id"], second["arguments"], second["status"]) == ("call_b", "{}", "completed")
    assert first["id"].startswith("fc_")


def test_the_limit_leaves_the_last_item_incomplete() -> None:
    told = unfold(ReasoningDelta("hm"), ContentDelta("4"), Finished("length", USAGE))
    response = told[-1]["response"]
    assert told[-1]["type"] == "response.incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["completed_at"] is None
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_a_thought_cut_at_the_limit_is_all_there_is() -> None:
    [thought] = unfold(ReasoningDelta("hm"), Finished("length", USAGE))[-1]["response"]["output"]
    assert (thought["type"], thought["status"]) == ("reasoning", "incomplete")


def test_an_answer_without_a_word_is_a_message() -> None:
    for before in ((), (ReasoningDelta("hm"),)):
        *_, message = unfold(*before, Finished("stop", USAGE))[-1]["response"]["output"]
        assert message["content"][0]["text"] == ""


def test_log_probabilities_come_with_the_text_they_end() -> None:
    logs = tuple(
        TokenLog(TokenChance(bytes([byte]), -0.5), (TokenChance(b"x", float("-inf")),), at)
        for at, byte in enumerate("ä".encode())
    )
    told = unfold(
        ContentDelta("", logs=logs[:1]), ContentDelta("ä", logs=logs[1:]), ContentDelta("."), Finished("stop", USAGE)
    )
    first, second = (event for event in told if event["type"] == "response.output_text.delta")
    assert [entry["bytes"] for entry in first["logprobs"]] == [[0xC3], [0xA4]]
    assert first["logprobs"][0] == {
        "token": "�",
        "logprob": -0.5,
        "bytes": [0xC3],
        "top_logprobs": [{"token": "x", "logprob": -9999.0, "bytes": [120]}],
    }
    assert second["logprobs"] == []
    [part] = told[-1]["response"]["output"][0]["content"]
    assert part["logprobs"] == first["logprobs"]


def test_logs_without_text_do_not_break_a_call_apart() -> None:
    log = TokenLog(TokenChance(b"{", -1.0), (), 0)
    told = unfold(
        ToolCallDelta(0, "{", id="call_a", name="weather"),
        ContentDelta("", logs=(log,)),
        ToolCallDelta(0, "}"),
        Finished("tool_calls", USAGE),
    )
    [call] = told[-1]["response"]["output"]
    assert call["arguments"] == "{}"


def test_a_failure_is_told_twice_and_keeps_what_was_said() -> None:
    events = machine()
    told = [*events.opening(), *events.push(ContentDelta("Hel")), *events.fail(WorkerDied("it has died"))]
    check(told)
    error, failed = told[-2:]
    assert (error["type"], error["code"], error["message"]) == ("error", "worker_died", "it has died")
    assert error["error"]["code"] == "worker_died"
    assert failed["type"] == "response.failed"
    assert failed["response"]["error"] == {"code": "server_error", "message": "it has died"}
    [message] = failed["response"]["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "Hel")


def test_the_codes_of_failures() -> None:
    for error, code in (
        (Overloaded("full"), "rate_limit_exceeded"),
        (InvalidRequest("no such grammar"), "invalid_prompt"),
        (KeyError("secret"), "server_error"),
    ):
        told = machine().fail(error)[-1]["response"]["error"]
        assert told["code"] == code
        assert "secret" not in told["message"]


def test_a_response_repeats_what_was_asked_as_it_was_used() -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    schema = {"type": "object"}
    told = unfold(
        Finished("stop", USAGE),
        instructions="Be brief.",
        tools=[tool],
        tool_choice={"type": "function", "name": "weather"},
        text={"format": {"type": "json_schema", "name": "thing", "schema": schema}},
        reasoning={"effort": "low", "generate_summary": "auto"},
        metadata={"a": "b"},
        max_output_tokens=7,
        top_p=0.25,
        store=False,
    )
    response = told[0]["response"]
    assert response["instructions"] == "Be brief."
    assert response["tools"] == [{**tool, "description": None, "strict": None}]
    assert response["tool_choice"] == {"type": "function", "name": "weather"}
    assert response["text"]["format"]["schema"] == schema
    assert response["reasoning"] == {"effort": "low", "summary": "auto"}
    assert (response["metadata"], response["store"]) == ({"a": "b"}, False)
    assert (response["temperature"], response["top_p"], response["max_output_tokens"]) == (0.5, 0.25, 7)
    plain = unfold(Finished("stop", USAGE))[0]["response"]
    assert (plain["tool_choice"], plain["tools"], plain["text"]) == (
        "auto",
        [],
        {"format": {"type": "text"}, "verbosity": "medium"},
    )


DELTAS: st.SearchStrategy[Delta] = st.one_of(
    st.builds(ReasoningDelta, st.text(max_size=3)),
    st.builds(ContentDelta, st.text(max_size=3)),
    st.builds(lambda text: ToolCallDelta(-1, text), st.text(max_size=3)),
    st.builds(lambda text: ToolCallDelta(-2, text), st.text(max_size=3)),
)


@given(st.lists(DELTAS, max_size=12), st.sampled_from(["stop", "length", "tool_calls"]))
def test_whatever_comes_the_pieces_are_the_whole(deltas: list[Delta], reason: Any) -> None:
    """-1 begins a call, -2 goes on with it if it is still open."""
    calls, is_open, real = 0, False, []
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            if delta.index == -1 or not is_open:
                delta, calls = ToolCallDelta(calls, delta.arguments, f"call_{calls}", "f"), calls + 1
            else:
                delta = ToolCallDelta(calls - 1, delta.arguments)
            is_open = True
        elif not isinstance(delta, ContentDelta) or delta.text:
            is_open = False
        real.append(delta)
    told = unfold(*real, Finished(reason, USAGE))
    pieces: dict[str, str] = {}
    for event in told:
        if event["type"].endswith(".delta"):
            pieces[event["item_id"]] = pieces.get(event["item_id"], "") + event["delta"]
    for item in told[-1]["response"]["output"]:
        whole = item["arguments"] if item["type"] == "function_call" else None
        if item["type"] == "message":
            whole = item["content"][0]["text"]
        if item["type"] == "reasoning":
            whole = item["summary"][0]["text"]
        assert pieces.get(item["id"], "") == whole
