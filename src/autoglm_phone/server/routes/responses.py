"""POST /v1/responses, and what is asked about stored ones."""

import logging
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from autoglm_phone.core.errors import AutoGLMError, InvalidRequest, RequestError
from autoglm_phone.core.request import Client
from autoglm_phone.server.answer import Answer
from autoglm_phone.server.client import client_of
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import to_chat_request
from autoglm_phone.server.hangup import HungUp, unless_hung_up
from autoglm_phone.server.ignored import ignored_header
from autoglm_phone.server.ready import check_ready
from autoglm_phone.server.respond import dropped_header, json_object
from autoglm_phone.server.responses.asked import Asked, not_stored, read_request
from autoglm_phone.server.responses.events import ResponseEvents
from autoglm_phone.server.responses.form import ResponseForm, asked_fields
from autoglm_phone.server.responses.item_page import item_page
from autoglm_phone.server.responses.items import RESPONSE, Item, new_id
from autoglm_phone.server.responses.places import Places, in_words_of, restate
from autoglm_phone.server.responses.store import ResponseStore, StoredResponse, Turn, stored_response
from autoglm_phone.server.services import Services
from autoglm_phone.server.sse import KEEP_ALIVE, EventStream, encode_event

_log = logging.getLogger(__name__)

# Keeps a finished response, or says in it that it was not kept.
Keep = Callable[[dict[str, Any]], None]


def response_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()
    store = ResponseStore(config.max_stored_responses, config.max_stored_bytes)

    @router.post("/v1/responses")
    async def create_response(request: Request) -> Response:
        body = await json_object(request)
        asked = read_request(body, store, config)
        client = client_of(request, body)
        check_ready(services)
        asked_again = asked_fields(asked.request, config.default_sampling)
        form = ResponseForm(new_id(RESPONSE), int(time.time()), config.model_id, asked_again)
        try:
            return await unless_hung_up(request.receive, _respond(asked, form, client))
        except HungUp:
            _log.info("a client left before its response")
            return Response()  # nobody reads it

    async def _respond(asked: Asked, form: ResponseForm, client: Client) -> Response:
        headers = {"x-request-id": form.id, **ignored_header(asked.ignored)}
        keep = _keeper(store, asked.items, asked.earlier) if asked.request.store is not False else _keep_nothing
        events = ResponseEvents(form, time.time)
        with in_words_of(asked.places):
            chat = await to_chat_request(asked.wire, config, services.fetch, client)
            answer = Answer(services.chat.stream(chat))
            try:
                headers |= dropped_header(await answer.start(config.keep_alive_s))
                if not asked.request.stream:
                    response = JSONResponse(await _whole(answer, events, keep), headers=headers)
                    await answer.aclose()
                    return response
            except BaseException:
                await answer.aclose()
                raise
        told = _told(answer, events, keep, asked.places, config.keep_alive_s)
        return EventStream(told, headers, answer.aclose)

    @router.post("/v1/responses/input_tokens")
    async def count_input_tokens(request: Request) -> dict[str, Any]:
        asked = read_request(await json_object(request), store, config)
        with in_words_of(asked.places):
            built = await services.chat.prepare(await to_chat_request(asked.wire, config, services.fetch))
        return {
            "object": "response.input_tokens",
            "input_tokens": len(built.prompt),
            "input_tokens_details": {"image_tokens": built.image_tokens, "audio_tokens": built.audio_tokens},
        }

    @router.get("/v1/responses/{response_id}")
    async def show_response(response_id: str, request: Request) -> dict[str, Any]:
        if request.query_params.get("stream", "false") != "false":
            raise InvalidRequest("`stream`: a stored response is complete and comes in one piece", param="stream")
        return _stored(response_id).response

    @router.delete("/v1/responses/{response_id}")
    async def delete_response(response_id: str) -> dict[str, Any]:
        if not store.delete(response_id):
            raise not_stored(response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    @router.get("/v1/responses/{response_id}/input_items")
    async def list_input_items(response_id: str, request: Request) -> dict[str, Any]:
        return item_page(_stored(response_id).turn.context(), request.query_params)

    def _stored(response_id: str) -> StoredResponse:
        if (stored := store.get(response_id)) is None:
            raise not_stored(response_id)
        return stored

    return router


def _keeper(store: ResponseStore, items: tuple[Item, ...], earlier: Turn | None) -> Keep:
    def keep(response: dict[str, Any]) -> None:
        stored = stored_response(response, items, earlier)
        if store.has_room_for(stored):
            store.add(stored)
        else:
            response["store"] = False

    return keep


def _keep_nothing(response: dict[str, Any]) -> None:
    pass


async def _whole(answer: Answer, events: ResponseEvents, keep: Keep) -> dict[str, Any]:
    while events.finished is None:
        events.push(await answer.take())
    keep(events.finished)
    return events.finished


async def _told(
    answer: Answer, events: ResponseEvents, keep: Keep, places: Places, keep_alive_s: float
) -> AsyncGenerator[bytes, None]:
    """As OpenAI's, a stream ends with the event that carries the whole response, without [DONE]."""
    for event in events.opening():
        yield encode_event(event, event["type"])
    try:
        while events.finished is None:
            while not await answer.wait(keep_alive_s):
                yield KEEP_ALIVE
            told = events.push(await answer.take())
            if events.finished is not None:
                keep(events.finished)
            for event in told:
                yield encode_event(event, event["type"])
    except Exception as error:  # the edge of a request whose status line is gone: told in the stream
        log = _log.error if isinstance(error, AutoGLMError) else _log.exception
        log("a stream ended with %s: %s", type(error).__name__, error)
        if isinstance(error, RequestError):
            restate(error, places)
        for event in events.fail(error):
            yield encode_event(event, event["type"])
