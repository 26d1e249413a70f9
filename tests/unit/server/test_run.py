"""What only a real socket shows: hang-ups, bodies that are too large, the end of the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from scripted_services import HELLO, MODEL, House, ScriptedChat, asked

from autoglm_phone.chat.delta import ContentDelta
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.run import uvicorn_config

PATIENT_S = 20.0  # a test that fails ends after this; none waits for it


@asynccontextmanager
async def running(house: House, **settings: Any) -> AsyncIterator[int]:
    """The port of a server in this event loop."""
    config = ServerConfig(model_id=MODEL, port=0, **settings)
    server = uvicorn.Server(uvicorn_config(house.app(**settings), config))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        async with asyncio.timeout(PATIENT_S):
            await task


def request(body: bytes, *headers: str) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chat_request(**fields: Any) -> bytes:
    body = json.dumps(asked(**fields)).encode()
    return request(body, f"Content-Length: {len(body)}")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENT_S):
            await test()

    asyncio.run(bounded())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("num_deltas", [0, 1, 2])
def test_a_client_that_hangs_up_ends_its_chat(stream: bool, num_deltas: int) -> None:
    """Before Started, before the first token, and in the middle."""

    async def test() -> None:
        chat = ScriptedChat((*HELLO[:num_deltas], asyncio.Event()))
        async with running(House(chat), keep_alive_s=0.01) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(chat_request(stream=stream))
            await chat.is_waiting.wait()
            assert not chat.is_closed.is_set()
            writer.close()
            await chat.is_closed.wait()

    run(test)


def test_a_client_that_does_not_read_holds_only_its_own_chat_and_can_still_hang_up() -> None:
    async def test() -> None:
        chat = ScriptedChat((HELLO[0], *[ContentDelta("x" * 10_000)] * 5_000, asyncio.Event()))
        async with running(House(chat)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(chat_request(stream=True))
            await reader.readexactly(1)
            assert not chat.is_closed.is_set()
            writer.transport.abort()
            await chat.is_closed.wait()
            assert not chat.is_waiting.is_set(), "the deltas were not read ahead of the client"

    run(test)


def test_a_stream_that_is_silent_sends_comments() -> None:
    async def test() -> None:
        gate = asyncio.Event()
        async with running(House(ScriptedChat((HELLO[0], gate, *HELLO[1:]))), keep_alive_s=0.01) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(chat_request(stream=True))
            before = await reader.readuntil(b": keep-alive\n\n")
            assert b"200 OK" in before
            assert b'"role":"assistant"' in before
            gate.set()
            after = await reader.readuntil(b"data: [DONE]\n\n")
            assert b'"content":"lo"' in after
            writer.close()

    run(test)


def test_a_body_over_the_limit_is_answered_while_the_client_is_still_sending() -> None:
    async def test() -> None:
        async with running(House(), max_body_bytes=1000) as port:
            for headers in (["Content-Length: 300000"], ["Transfer-Encoding: chunked"]):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request(b"", *headers))
                for _ in range(3):
                    data = b"x" * 100_000
                    writer.write(data if "Length" in headers[0] else b"%x\r\n%s\r\n" % (len(data), data))
                    await writer.drain()
                if "chunked" in headers[0]:
                    writer.write(b"0\r\n\r\n")
                answer = await reader.read()
                assert answer.startswith(b"HTTP/1.1 413")
                assert b"body_too_large" in answer
                writer.close()

    run(test)


def test_a_server_that_is_stopped_ends_its_open_streams() -> None:
    async def test() -> None:
        chat = ScriptedChat((*HELLO[:2], asyncio.Event()))
        async with running(House(chat), shutdown_s=0) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(chat_request(stream=True))
            await chat.is_waiting.wait()
        await chat.is_closed.wait()
        writer.close()

    run(test)


def test_ten_clients_at_once() -> None:
    async def test() -> None:
        async with running(House()) as port:

            async def ask(stream: bool) -> bytes:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(chat_request(stream=stream).replace(b"Host:", b"Connection: close\r\nHost:"))
                answer = await reader.read()
                writer.close()
                return answer

            answers = await asyncio.gather(*(ask(bool(number % 2)) for number in range(10)))
            assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)

    run(test)
