"""From a started chat to its HTTP answer, whole or as a stream, in whatever form the endpoint has."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from autoglm_phone.chat.delta import Delta, Finished, Started
from autoglm_phone.core.errors import AutoGLMError
from autoglm_phone.server.answer import Answer
from autoglm_phone.server.collected import Collected, collect
from autoglm_phone.server.errors import error_body
from autoglm_phone.server.hangup import HungUp, unless_hung_up
from autoglm_phone.server.json_body import parse_object
from autoglm_phone.server.sse import DONE, KEEP_ALIVE, EventStream, encode_event

_log = logging.getLogger(__name__)


class Form(Protocol):
    """How an endpoint tells an answer: events of a stream, or one object."""

    def opening(self, num_choices: int) -> Iterable[Mapping[str, Any]]: ...
    def chunk(self, delta: Delta) -> Mapping[str, Any]: ...
    def usage_chunk(self, finished: Sequence[Finished]) -> Mapping[str, Any]: ...
    def completion(self, choices: Sequence[Collected]) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Chosen:
    """A chat that is to be answered, and how. headers come with the answer."""

    deltas: AsyncGenerator[Delta, None]
    num_choices: int
    form: Form
    is_streamed: bool
    includes_usage: bool
    headers: Mapping[str, str]


async def json_object(request: Request) -> dict[str, Any]:
    """The body, read once: `request.body()` would keep a copy for as long as the answer is streamed."""
    return parse_object(b"".join([chunk async for chunk in request.stream()]))


async def respond(request: Request, choose: Callable[[], Awaitable[Chosen]], keep_alive_s: float) -> Response:
    """Everything from the media of the request to its answer ends at once when the client hangs up."""

    async def work() -> Response:
        return await _answer(await choose(), keep_alive_s)

    try:
        return await unless_hung_up(request.receive, work())
    except HungUp:
        _log.info("a client left before its answer")
        return Response()  # nobody reads it


def dropped_header(started: Started) -> dict[str, str]:
    return {"x-autoglm-dropped-messages": str(started.dropped_messages)} if started.dropped_messages else {}


async def _answer(chosen: Chosen, keep_alive_s: float) -> Response:
    answer = Answer(chosen.deltas)
    try:
        headers = {**chosen.headers, **dropped_header(await answer.start(keep_alive_s))}
        if not chosen.is_streamed:
            whole = chosen.form.completion(await collect(answer, chosen.num_choices))
            await answer.aclose()
            return JSONResponse(whole, headers=headers)
    except BaseException:
        await answer.aclose()
        raise
    return EventStream(_events(answer, chosen, keep_alive_s), headers, answer.aclose)


async def _events(answer: Answer, chosen: Chosen, keep_alive_s: float) -> AsyncGenerator[bytes, None]:
    form = chosen.form
    for opening in form.opening(chosen.num_choices):
        yield encode_event(opening)
    finished: list[Finished] = []
    try:
        while len(finished) < chosen.num_choices:
            while not await answer.wait(keep_alive_s):
                yield KEEP_ALIVE
            delta = await answer.take()
            yield encode_event(form.chunk(delta))
            if isinstance(delta, Finished):
                finished.append(delta)
        if chosen.includes_usage:
            yield encode_event(form.usage_chunk(finished))
        yield DONE
    except Exception as error:  # the edge of a request whose status line is gone: told in the stream, without [DONE]
        log = _log.error if isinstance(error, AutoGLMError) else _log.exception
        log("a stream ended with %s: %s", type(error).__name__, error)
        yield encode_event(error_body(error))
