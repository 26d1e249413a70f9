"""How a stream hears of its end, and whom a full queue refuses."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from autoglm_phone.core.errors import InvalidRequest, Overloaded
from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt
from autoglm_phone.core.request import Client, Request, SamplingParams, TokenEvent
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


def let_in_of(arrivals: list[Client], config: EngineConfig) -> list[Client]:
    """Those of the arrivals who are not refused, while nobody leaves."""

    async def arrive() -> list[Client]:
        open_requests, let_in = OpenRequests(config), []
        async with AsyncExitStack() as stack:
            for number, client in enumerate(arrivals):
                request = Request(RequestId(str(number)), Prompt((TokenId(1),)), SamplingParams(), 10, client=client)

                def submit(request: Request) -> None:
                    open_requests.deliver(request.id, TokenEvent((TokenId(5),)))

                events = open_requests.stream(request, submit, lambda _: None)
                stack.push_async_callback(events.aclose)
                try:
                    await anext(events)
                except Overloaded:
                    continue
                let_in.append(client)
        assert not len(open_requests)
        return let_in

    return asyncio.run(arrive())


def test_alone_a_client_has_the_whole_queue() -> None:
    me = Client("here", "me")
    assert let_in_of([me] * 20, EngineConfig(max_running=4, max_waiting=6)) == [me] * 10


def test_a_full_queue_still_takes_others_up_to_an_equal_part_of_it() -> None:
    greedy, polite, third = Client("here", "greedy"), Client("there", "polite"), Client("elsewhere", "third")
    let_in = let_in_of(
        [*[greedy] * 20, *[polite] * 20, greedy, *[third] * 20], EngineConfig(max_running=4, max_waiting=8)
    )
    assert let_in == [greedy] * 12 + [polite] * 6 + [third] * 4


def test_many_names_at_one_place_share_its_part() -> None:
    names = [Client("here", str(number)) for number in range(200)]
    elsewhere = Client("elsewhere")
    let_in = let_in_of([*names, *[elsewhere] * 9], EngineConfig(max_running=4, max_waiting=8))
    assert let_in == [*names[:12], *[elsewhere] * 6]
