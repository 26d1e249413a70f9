"""POST /v1/chat/completions, and how many tokens one would take."""

import time
import uuid
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from autoglm_phone.server.client import client_of
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import read_fields, to_chat_request
from autoglm_phone.server.ignored import ignored_header
from autoglm_phone.server.ready import check_ready
from autoglm_phone.server.respond import Chosen, json_object, respond
from autoglm_phone.server.schemas.chat_answer import AnswerForm
from autoglm_phone.server.services import Services


def chat_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/chat/completions")
    async def create_chat_completion(request: Request) -> Response:
        body = await json_object(request)
        wire, ignored = read_fields(body, config)
        client = client_of(request, body)
        check_ready(services)
        form = AnswerForm(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), config.model_id)

        async def choose() -> Chosen:
            chat = await to_chat_request(wire, config, services.fetch, client)
            return Chosen(
                services.chat.stream(chat),
                chat.num_choices,
                form,
                is_streamed=bool(wire.stream),
                includes_usage=wire.stream_options is not None and bool(wire.stream_options.include_usage),
                headers={"x-request-id": form.id, **ignored_header(ignored)},
            )

        return await respond(request, choose, config.keep_alive_s)

    @router.post("/v1/chat/completions/input_tokens")
    async def count_input_tokens(request: Request) -> dict[str, Any]:
        wire, _ = read_fields(await json_object(request), config)
        built = await services.chat.prepare(await to_chat_request(wire, config, services.fetch))
        return {
            "object": "response.input_tokens",
            "input_tokens": len(built.prompt),
            "input_tokens_details": {"image_tokens": built.image_tokens, "audio_tokens": built.audio_tokens},
        }

    return router
