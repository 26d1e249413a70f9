import json
from typing import Any

from scripted_services import HELLO, MODEL, USAGE, House, ScriptedChat, asked

from autoglm_phone.chat.delta import ContentDelta, Finished, ReasoningDelta, Started
from autoglm_phone.core.errors import Overloaded, StepFailed, WorkerDied


def events(text: str) -> list[Any]:
    """The data of a stream, `[DONE]` as a string."""
    datas = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def test_an_answer_in_one_piece() -> None:
    response = House().post(asked())
    assert response.status_code == 200
    answer = response.json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == MODEL
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello", "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 2,
        "total_tokens": 32,
        "prompt_tokens_details": {"cached_tokens": 8, "image_tokens": 5, "audio_tokens": 4, "text_tokens": 21},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "autoglm": {"dropped_messages": 0},
    }


def test_a_stream_is_role_deltas_finish_usage_done() -> None:
    response = House().post(asked(stream=True, stream_options={"include_usage": True}))
    assert response.headers["content-type"].startswith("text/event-stream")
    role, first, second, finish, usage, done = events(response.text)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["delta"] for chunk in (first, second)] == [{"content": "Hel"}, {"content": "lo"}]
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "stop")
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 32
    assert done == "[DONE]"
    assert len({chunk["id"] for chunk in (role, first, second, finish, usage)}) == 1


def test_usage_is_streamed_only_when_asked_for() -> None:
    assert not any("usage" in event for event in events(House().post(asked(stream=True)).text)[:-1])


def test_a_thought_has_both_its_names_and_is_not_content() -> None:
    script = (Started(30, 0), ReasoningDelta("hm"), ContentDelta("42"), Finished("length", USAGE))
    message = House(ScriptedChat(script)).post(asked()).json()["choices"][0]["message"]
    assert message["content"] == "42"
    assert message["reasoning"] == message["reasoning_content"] == "hm"
    chunks = events(House(ScriptedChat(script)).post(asked(stream=True)).text)
    assert chunks[1]["choices"][0]["delta"] == {"reasoning_content": "hm", "reasoning": "hm"}


def test_dropped_messages_are_told_in_a_header() -> None:
    script = (Started(30, 3), *HELLO[1:])
    for stream in (False, True):
        assert House(ScriptedChat(script)).post(asked(stream=stream)).headers["x-autoglm-dropped-messages"] == "3"
    assert "x-autoglm-dropped-messages" not in House().post(asked()).headers


def test_a_full_queue_is_429_for_streams_too() -> None:
    """The engine refuses only after Started."""
    for stream in (False, True):
        chat = ScriptedChat((Started(30, 0), Overloaded("the queue is full", retry_after_s=3)))
        response = House(chat).post(asked(stream=stream))
        assert response.status_code == 429
        assert response.headers["retry-after"] == "3"
        assert chat.is_closed.is_set()


def test_a_death_in_the_middle_of_a_stream_is_an_error_event_without_done() -> None:
    chat = ScriptedChat((*HELLO[:2], WorkerDied("it has died")))
    *_, last = events(House(chat).post(asked(stream=True)).text)
    assert last["error"]["code"] == "worker_died"
    assert last["error"]["message"] == "it has died"


def test_a_death_before_the_answer_is_whole_is_503() -> None:
    response = House(ScriptedChat((*HELLO[:2], WorkerDied("it has died")))).post(asked())
    assert response.status_code == 503
    assert "retry-after" in response.headers


def test_a_failed_step_is_500() -> None:
    assert House(ScriptedChat((StepFailed("no"),))).post(asked()).status_code == 500


def test_an_unexpected_fault_tells_nothing_of_the_inside() -> None:
    secret = RuntimeError("/home/me/secret")
    whole = House(ScriptedChat((secret,))).post(asked())
    assert whole.status_code == 500
    assert "secret" not in whole.text
    streamed = House(ScriptedChat((*HELLO[:2], secret))).post(asked(stream=True))
    assert events(streamed.text)[-1]["error"]["code"] == "internal_error"
    assert "secret" not in streamed.text


def test_unknown_fields_are_named_in_a_header_and_known_ones_without_effect_are_not() -> None:
    body = asked(user="me", frobnicate=1)
    body["messages"][0]["colour"] = "red"
    body["mess\r\nages"] = "\x00"
    response = House().post(body)
    assert response.status_code == 200
    assert response.headers["x-autoglm-ignored"] == "frobnicate, mess??ages, messages[0].colour"


def test_many_and_long_unknown_names_fit_a_header() -> None:
    response = House().post(asked(**{f"{'ü' * 200}{number}": 1 for number in range(50)}))
    assert response.status_code == 200
    assert response.headers["x-autoglm-ignored"].endswith("and 30 more")
    assert len(response.headers["x-autoglm-ignored"]) < 20 * 500
