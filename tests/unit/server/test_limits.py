import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from scripted_services import HELLO, House, ScriptedChat, asked
from starlette.types import Message

KEY = "s3cret"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/nano", "/metrics", "/v1/nothing"])
def test_without_the_key_nothing_is_told(path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}, {"Authorization": "Bearer"}):
        response = House().get(path, headers, api_key=KEY)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_chat_without_the_key_is_refused_before_its_body_is_read() -> None:
    assert House().post(b"x" * 2000, api_key=KEY, max_body_bytes=1000).status_code == 401


def test_with_the_key_everything_is_as_ever() -> None:
    assert House().get("/v1/models", {"Authorization": f"Bearer {KEY}"}, api_key=KEY).status_code == 200
    assert House().get("/v1/models", {"Authorization": f"bearer  {KEY}"}, api_key=KEY).status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/web/app.js"])
def test_page_and_health_need_no_key(path: str) -> None:
    assert House().get(path, api_key=KEY).status_code == 200


def test_a_key_beyond_ascii_works() -> None:
    headers = {"Authorization": "Bearer schlüssel".encode()}

    async def ask() -> int:
        async with House().client(api_key="schlüssel") as client:
            return (await client.get("/v1/models", headers=headers)).status_code  # type: ignore[arg-type]  # bytes are sent as they are

    assert asyncio.run(ask()) == 200


def test_an_empty_key_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ValueError, match="empty key"):
        House().app(api_key="")


def test_a_body_over_the_limit_is_413_by_its_length() -> None:
    response = House().post(asked(user="x" * 2000), max_body_bytes=1000)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"
    assert response.headers["connection"] == "close"


def test_a_body_over_the_limit_is_413_also_in_chunks_of_unknown_number() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 100

    async def ask() -> httpx.Response:
        async with House().client(max_body_bytes=1000) as client:
            return await client.post("/v1/chat/completions", content=chunks())

    assert asyncio.run(ask()).status_code == 413


def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = b'{"messages": [{"role": "user", "content": "x"}]}'
    assert House().post(body, max_body_bytes=len(body)).status_code == 200


def test_all_bodies_together_are_bounded_and_given_back() -> None:
    body = json.dumps(asked()).encode()
    gate = asyncio.Event()
    chat = ScriptedChat((gate, *HELLO))

    async def test() -> list[int]:
        async with House(chat).client(max_open_bytes=len(body) + 10) as client:
            first = asyncio.create_task(client.post("/v1/chat/completions", content=body))
            await chat.is_waiting.wait()
            second = await client.post("/v1/chat/completions", content=body)
            assert second.headers["retry-after"]
            gate.set()
            statuses = [(await first).status_code, second.status_code]
            third = await client.post("/v1/chat/completions", content=body)
            return [*statuses, third.status_code]

    async def bounded() -> list[int]:
        async with asyncio.timeout(20):
            return await test()

    assert asyncio.run(bounded()) == [200, 429, 200]


def call(messages: Iterator[Message], **settings: Any) -> list[Message]:
    """Run the app over what a client sends; it waits for ever after the last message."""
    sent: list[Message] = []

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "http_version": "1.1",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(House().app(**settings)(scope, receive, send))
    return sent


def test_a_body_that_never_ends_is_408() -> None:
    start, *_ = call(iter([{"type": "http.request", "body": b"{", "more_body": True}]), body_timeout_s=0.01)
    assert start["status"] == 408


def test_a_client_that_leaves_in_its_body_is_not_answered() -> None:
    assert call(iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])) == []


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST", "127.0.0.2"])
def test_a_loopback_server_knows_its_names(host: str) -> None:
    assert House().get("/health", {"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[", "localhost@evil.example", ""]
)
def test_other_host_names_are_refused_on_loopback(host: str) -> None:
    response = House().get("/health", {"Host": host})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "foreign_origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_pages_of_other_sites_are_refused_on_loopback(origin: str) -> None:
    assert House().get("/v1/models", {"Origin": origin}).status_code == 403
    assert House().get("/v1/models", {"Origin": "http://localhost:8000"}).status_code == 200


def test_host_names_can_be_added_and_public_servers_do_not_ask() -> None:
    assert House().get("/health", {"Host": "phone.lan"}, allowed_hosts=("phone.lan",)).status_code == 200
    assert House().get("/health", {"Host": "phone.lan"}, allowed_hosts=("*",)).status_code == 200
    assert House().get("/health", {"Host": "phone.lan"}, host="0.0.0.0").status_code == 200


def test_a_server_on_all_addresses_asks_once_names_are_set() -> None:
    def status(host: str, names: tuple[str, ...]) -> int:
        return House().get("/health", {"Host": host}, host="0.0.0.0", allowed_hosts=names).status_code

    assert status("phone.lan", ("phone.lan",)) == status("127.0.0.1:8000", ("phone.lan",)) == 200
    assert status("evil.example", ("phone.lan",)) == 403
    assert status("evil.example", ("phone.lan", "*")) == 200


def test_no_other_site_may_read_answers_and_every_answer_has_the_policy() -> None:
    for path in ("/", "/health", "/v1/nothing"):
        response = House().get(path, {"Origin": "http://localhost"})
        assert not [name for name in response.headers if name.startswith("access-control")]
        assert "script-src 'self'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
