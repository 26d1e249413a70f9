"""WS /v1/realtime."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from autoglm_phone.core.errors import AutoGLMError, InvalidRequest, Overloaded, RequestError
from autoglm_phone.server.client import client_of
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import check_model
from autoglm_phone.server.errors import error_response
from autoglm_phone.server.json_body import parse_object
from autoglm_phone.server.realtime.client_events import read_event
from autoglm_phone.server.realtime.session import RealtimeSession
from autoglm_phone.server.realtime.wire import Say, error_fields, event_text
from autoglm_phone.server.services import Services

_log = logging.getLogger(__name__)

SUBPROTOCOL = "realtime"
_INTERNAL_ERROR = 1011  # RFC 6455, section 7.4.1


def realtime_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()
    num_open = 0

    @router.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:
        nonlocal num_open
        try:
            _check(socket.query_params)
        except RequestError as error:
            await socket.send_denial_response(error_response(error))
            return
        num_open += 1
        try:
            await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
            await _serve(socket)
        finally:
            num_open -= 1

    def _check(query: Mapping[str, str]) -> None:
        check_model(query.get("model"), config)
        if num_open >= config.max_realtime_sessions:
            raise Overloaded(f"{num_open} realtime sessions are open, which is the limit; try again later")

    async def _serve(socket: WebSocket) -> None:
        patience = asyncio.timeout(None)
        say = _say_to(socket, patience, config.max_send_s)
        session = RealtimeSession(services, config, client_of(socket, {}), say)
        try:
            async with patience:
                await session.open()
                async for text in _texts(socket):
                    await _take(session, text, say)
        except TimeoutError:
            _log.info("a realtime session ended: its client took no event for %g s", config.max_send_s)
        except Exception:  # the edge of a session: logged here, told without internals
            _log.exception("a realtime session failed")
            if socket.application_state is WebSocketState.CONNECTED:
                await socket.close(_INTERNAL_ERROR)
        finally:
            await session.close()

    return router


async def _take(session: RealtimeSession, text: str | None, say: Say) -> None:
    event_id: str | None = None
    try:
        if text is None:
            raise InvalidRequest("events are texts of JSON; sound goes into input_audio_buffer.append as base64")
        fields = parse_object(text.encode("utf-8", "surrogatepass"))
        given = fields.get("event_id")
        event_id = given if isinstance(given, str) else None
        await session.take(read_event(fields))
    except AutoGLMError as error:
        await say("error", error=error_fields(error, event_id))


async def _texts(socket: WebSocket) -> AsyncGenerator[str | None, None]:
    """Until the client leaves; None for a message that is no text."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        yield message.get("text")


def _say_to(socket: WebSocket, patience: asyncio.Timeout, max_send_s: float) -> Say:
    """patience ends once, for a client that does not take what it is sent: its place is another's."""
    lock = asyncio.Lock()
    is_lost = False

    async def say(kind: str, /, **fields: Any) -> None:
        nonlocal is_lost
        async with lock:
            if is_lost or WebSocketState.DISCONNECTED in (socket.client_state, socket.application_state):
                return
            try:
                async with asyncio.timeout(max_send_s):
                    await socket.send_text(event_text(kind, fields))
            except WebSocketDisconnect:
                _log.debug("a client left before %s", kind)
            except TimeoutError:
                is_lost = True
                with suppress(RuntimeError):  # the session is ending already
                    patience.reschedule(asyncio.get_running_loop().time())

    return say
