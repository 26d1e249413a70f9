"""The Responses API over HTTP, behind it a chat that follows a script."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from scripted_services import HELLO, MODEL, USAGE, FakeEngine, House, ScriptedChat

from autoglm_phone.chat.delta import ContentDelta, Finished, ReasoningDelta, Started, ToolCallDelta
from autoglm_phone.core.conversation import Conversation, ImagePart, TextPart
from autoglm_phone.core.errors import InvalidRequest, MediaUndecodable, Overloaded, WorkerDied
from autoglm_phone.core.request import EngineStatus
from autoglm_phone.server.sse import KEEP_ALIVE

PICTURE = "data:image/png;base64,iVBORw0KGgo="


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": "Hi", **fields}


def walk(test: Callable[[httpx.AsyncClient], Awaitable[None]], house: House | None = None, **settings: Any) -> None:
    async def go() -> None:
        async with (house or House()).client(**settings) as client, asyncio.timeout(20):
            await test(client)

    asyncio.run(go())


def post(house: House | None = None, **fields: Any) -> httpx.Response:
    answers: list[httpx.Response] = []

    async def test(client: httpx.AsyncClient) -> None:
        answers.append(await client.post("/v1/responses", json=ask(**fields)))

    walk(test, house)
    return answers[0]


def events(text: str) -> list[Any]:
    """The data of a stream; each event's name is that of its data."""
    told = []
    for block in text.split("\n\n"):
        if block.startswith("event: "):
            name, data = block.split("\n", 1)
            told.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {told[-1]['type']}"
    return told


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_ids(each) for name, each in value.items() if name not in ("id", "created_at")}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


def test_a_response_in_one_piece() -> None:
    answer = post()
    assert answer.status_code == 200
    response = answer.json()
    assert answer.headers["x-request-id"] == response["id"]
    assert (response["object"], response["status"], response["model"]) == ("response", "completed", MODEL)
    assert response["output"][0]["content"][0]["text"] == "Hello"
    assert response["id"].startswith("resp_")


def test_the_whole_is_what_the_last_event_of_a_stream_carries() -> None:
    script = (
        Started(30, 2),
        ReasoningDelta("hm"),
        ContentDelta("Hel"),
        ContentDelta("lo"),
        ToolCallDelta(0, "{}", "call_a", "time"),
        Finished("tool_calls", USAGE),
    )
    house = House(ScriptedChat(script))
    whole, streamed = post(house), post(house, stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.headers["x-autoglm-dropped-messages"] == whole.headers["x-autoglm-dropped-messages"] == "2"
    told = events(streamed.text)
    assert "[DONE]" not in streamed.text
    last = told[-1]["response"]
    assert told[0]["response"]["id"] == last["id"]
    completed = last.pop("completed_at"), (first := whole.json()).pop("completed_at")
    assert all(completed)
    assert without_ids(last) == without_ids(first)


def test_stored_responses_are_shown_listed_and_deleted() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        made = (await client.post("/v1/responses", json=ask(instructions="Be brief."))).json()
        at = f"/v1/responses/{made['id']}"
        assert (await client.get(at)).json() == made
        items = (await client.get(f"{at}/input_items")).json()
        [item] = items["data"]
        assert (item["role"], item["content"]) == ("user", [{"type": "input_text", "text": "Hi"}])
        assert (await client.get(f"{at}?stream=true")).json()["error"]["param"] == "stream"
        gone = (await client.delete(at)).json()
        assert gone == {"id": made["id"], "object": "response", "deleted": True}
        for answer in (await client.get(at), await client.delete(at), await client.get(f"{at}/input_items")):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")

    walk(test)


def test_a_dialogue_goes_on_and_its_items_are_listed() -> None:
    house = House()

    async def test(client: httpx.AsyncClient) -> None:
        first = (await client.post("/v1/responses", json=ask(input="One?", instructions="Be brief."))).json()
        second = (await client.post("/v1/responses", json=ask(input="Two?", previous_response_id=first["id"]))).json()
        assert second["previous_response_id"] == first["id"]
        listed = (await client.get(f"/v1/responses/{second['id']}/input_items?order=asc")).json()["data"]
        assert [item["content"][0]["text"] for item in listed] == ["One?", "Hello", "Two?"]
        assert listed[1] == first["output"][0]

    walk(test, house)
    conversation = house.chat.requests[1].conversation
    assert isinstance(conversation, Conversation)
    assert [message.role for message in conversation.messages] == ["user", "assistant", "user"]
    assert conversation.messages[1].parts == (TextPart("Hello"),)


def test_a_picture_is_seen_again_in_the_next_turn() -> None:
    house = House()
    content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PICTURE}]

    async def test(client: httpx.AsyncClient) -> None:
        first = (await client.post("/v1/responses", json=ask(input=[{"role": "user", "content": content}]))).json()
        await client.post("/v1/responses", json=ask(input="And now?", previous_response_id=first["id"]))

    walk(test, house)
    first, second = (request.conversation for request in house.chat.requests)
    assert isinstance(first, Conversation)
    assert isinstance(second, Conversation)
    before, again = first.messages[0].parts[1], second.messages[0].parts[1]
    assert isinstance(before, ImagePart)
    assert isinstance(again, ImagePart)
    assert before.data == again.data


def test_a_response_that_was_not_to_be_stored_cannot_be_gone_on_from() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for settings in ({"store": False}, {"store": False, "stream": True}):
            answer = await client.post("/v1/responses", json=ask(**settings))
            made = events(answer.text)[-1]["response"] if "stream" in settings else answer.json()
            assert made["store"] is False
            after = await client.post("/v1/responses", json=ask(previous_response_id=made["id"]))
            error = after.json()["error"]
            assert (after.status_code, error["code"]) == (400, "previous_response_not_found")

    walk(test)


def test_a_response_without_room_says_so() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        for stream in (False, True):
            answer = await client.post("/v1/responses", json=ask(stream=stream, input="x" * 20_000))
            made = events(answer.text)[-1]["response"] if stream else answer.json()
            assert made["store"] is False
            assert (await client.get(f"/v1/responses/{made['id']}")).status_code == 404

    walk(test, max_stored_bytes=10_000)


def test_a_full_queue_is_429_for_streams_too() -> None:
    for stream in (False, True):
        chat = ScriptedChat((Started(30, 0), Overloaded("the queue is full", retry_after_s=3)))
        answer = post(House(chat), stream=stream)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        assert chat.is_closed.is_set()


def test_a_death_in_the_middle_of_a_stream_is_told_and_nothing_is_stored() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/responses", json=ask(stream=True))
        told = events(answer.text)
        assert [event["type"] for event in told[-2:]] == ["error", "response.failed"]
        assert told[-1]["response"]["status"] == "failed"
        assert (await client.get(f"/v1/responses/{told[-1]['response']['id']}")).status_code == 404

    walk(test, House(ScriptedChat((*HELLO[:2], WorkerDied("it has died")))))


def test_a_death_before_a_whole_response_is_its_status() -> None:
    answer = post(House(ScriptedChat((*HELLO[:2], WorkerDied("it has died")))))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "worker_died")


def test_faults_name_the_fields_of_the_client() -> None:
    content = [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": "data:,"}]
    error = post(input=[{"role": "user", "content": content}]).json()["error"]
    assert error["param"] == "input[0].content[1]"
    assert "input[0].content[1]" in error["message"]
    unreadable = MediaUndecodable("messages[0].content[1]: no picture", param="messages[0].content[1]")
    content[1]["image_url"] = PICTURE
    for stream in (False, True):
        chat = ScriptedChat((unreadable,))
        answer = post(House(chat), input=[{"role": "user", "content": content}], stream=stream)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "input[0].content[1]: no picture"
        unreadable = MediaUndecodable("messages[0].content[1]: no picture", param="messages[0].content[1]")


def test_a_fault_in_the_middle_of_a_stream_names_the_field_of_the_client() -> None:
    chat = ScriptedChat((*HELLO[:2], InvalidRequest("`response_format`: no", param="response_format")))
    error = events(post(House(chat), stream=True).text)[-2]
    assert (error["param"], error["message"]) == ("text.format", "`text.format`: no")


def test_unknown_fields_are_named_in_a_header() -> None:
    assert post(surprise=1, reasoning={"depth": 2}).headers["x-autoglm-ignored"] == "surprise, reasoning.depth"


def test_a_loading_server_says_so() -> None:
    house = House(engine=FakeEngine(EngineStatus("loading")))
    assert post(house).status_code == 503


def test_silence_is_broken_by_comments() -> None:
    async def go() -> None:
        release = asyncio.Event()
        chat = ScriptedChat((*HELLO[:2], release, *HELLO[2:]))
        sent: list[bytes] = []
        bodies = asyncio.Queue[dict[str, Any]]()
        bodies.put_nowait({"type": "http.request", "body": json.dumps(ask(stream=True)).encode()})

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if sent[-1] == KEEP_ALIVE:
                release.set()

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/responses",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        async with asyncio.timeout(20):
            await House(chat).app(keep_alive_s=0.001)(scope, bodies.get, send)
        assert events(b"".join(sent).decode())[-1]["type"] == "response.completed"

    asyncio.run(go())
