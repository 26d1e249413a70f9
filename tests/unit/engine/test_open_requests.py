"""How a stream hears of its end."""

import asyncio

import pytest

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Request, SamplingParams, TokenEvent
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.open_requests import OpenRequests

ME = RequestId("me")
REQUEST = Request(ME, Prompt((TokenId(1),)), SamplingParams(), 10)


@pytest.mark.parametrize("before", [(), (TokenEvent((TokenId(5),)),)])
def test_an_error_reaches_its_reader_behind_what_came_before(before: tuple[TokenEvent, ...]) -> None:
    async def read() -> None:
        open_requests = OpenRequests(EngineConfig())
        aborted: list[RequestId] = []
        seen: list[TokenEvent] = []

        def submit(_request: Request) -> None:
            for event in (*before, TokenEvent((), "stop", error="too complex")):
                open_requests.deliver(ME, event)

        async def consume() -> None:
            async for event in open_requests.stream(REQUEST, submit, aborted.append):
                seen.append(event)  # noqa: PERF401 - what came before the error is what matters

        with pytest.raises(InvalidRequest, match="too complex") as caught:
            await consume()
        assert caught.value.param == "response_format"
        assert tuple(seen) == before
        assert not aborted, "the engine has ended it already"
        assert not len(open_requests)

    asyncio.run(read())
