"""POST /v1/chat/completions."""

import logging
import time
import uuid
from collections.abc import AsyncGenerator, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from autoglm_phone.chat.delta import Finished, Started
from autoglm_phone.core.errors import AutoGLMError, NotReady
from autoglm_phone.server.answer import Answer
from autoglm_phone.server.collected import collect
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import read_fields, to_chat_request
from autoglm_phone.server.errors import error_body
from autoglm_phone.server.hangup import HungUp, unless_hung_up
from autoglm_phone.server.json_body import parse_object
from autoglm_phone.server.schemas.chat_answer import AnswerForm
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest
from autoglm_phone.server.services import Services
from autoglm_phone.server.sse import DONE, KEEP_ALIVE, EventStream, encode_event

_log = logging.getLogger(__name__)

# Header lines are short and ASCII; the names come from the client.
MAX_IGNORED_NAMES = 20
MAX_IGNORED_CHARS = 80


def chat_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/chat/completions")
    async def create_chat_completion(request: Request) -> Response:
        # `request.body()` would keep a copy for as long as the answer is streamed.
        body = b"".join([chunk async for chunk in request.stream()])
        wire, ignored = read_fields(parse_object(body), config)
        _check_ready(services)
        form = AnswerForm(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), config.model_id)
        headers = {"x-request-id": form.id, **_ignored_header(ignored)}
        try:
            return await unless_hung_up(request.receive, _respond(wire, form, headers))
        except HungUp:
            _log.info("a client left before its answer")
            return Response()  # nobody reads it

    async def _respond(wire: ChatCompletionRequest, form: AnswerForm, headers: dict[str, str]) -> Response:
        chat = await to_chat_request(wire, config, services.fetch)
        answer = Answer(services.chat.stream(chat))
        try:
            started = await answer.start(config.keep_alive_s)
            headers |= _dropped_header(started)
            if not wire.stream:
                whole = form.completion(await collect(answer, chat.num_choices))
                await answer.aclose()
                return JSONResponse(whole, headers=headers)
        except BaseException:
            await answer.aclose()
            raise
        wants_usage = wire.stream_options is not None and bool(wire.stream_options.include_usage)
        events = _events(answer, form, chat.num_choices, config.keep_alive_s, include_usage=wants_usage)
        return EventStream(events, headers, answer.aclose)

    return router


def _check_ready(services: Services) -> None:
    """Before any medium is read or fetched: a server that is loading says so at once."""
    status = services.engine.status()
    if status.state != "ready":
        reason = f": {status.error}" if status.error else ""
        raise NotReady(f"the decoder is not ready ({status.state}{reason}); try again shortly")


async def _events(
    answer: Answer, form: AnswerForm, num_choices: int, keep_alive_s: float, *, include_usage: bool
) -> AsyncGenerator[bytes, None]:
    for choice in range(num_choices):
        yield encode_event(form.role_chunk(choice))
    finished: list[Finished] = []
    try:
        while len(finished) < num_choices:
            while not await answer.wait(keep_alive_s):
                yield KEEP_ALIVE
            delta = await answer.take()
            yield encode_event(form.chunk(delta))
            if isinstance(delta, Finished):
                finished.append(delta)
        if include_usage:
            yield encode_event(form.usage_chunk(finished))
        yield DONE
    except Exception as error:  # the edge of a request whose status line is gone: told in the stream, without [DONE]
        log = _log.error if isinstance(error, AutoGLMError) else _log.exception
        log("a stream ended with %s: %s", type(error).__name__, error)
        yield encode_event(error_body(error))


def _dropped_header(started: Started) -> dict[str, str]:
    return {"x-autoglm-dropped-messages": str(started.dropped_messages)} if started.dropped_messages else {}


def _ignored_header(names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    shown = [name[:MAX_IGNORED_CHARS].encode("ascii", "backslashreplace").decode() for name in names]
    printable = ["".join(char if char.isprintable() and char != "," else "?" for char in name) for name in shown]
    more = [f"and {len(names) - MAX_IGNORED_NAMES} more"] if len(names) > MAX_IGNORED_NAMES else []
    return {"x-autoglm-ignored": ", ".join(printable[:MAX_IGNORED_NAMES] + more)}
