"""POST /v1/images/readings: what is read on a picture, and where it stands."""

import logging
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from autoglm_phone.core.errors import UnsupportedModality
from autoglm_phone.core.module import Embeddings
from autoglm_phone.core.request import Client
from autoglm_phone.server.client import client_of
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert import check_model, read_body
from autoglm_phone.server.hangup import HungUp, unless_hung_up
from autoglm_phone.server.ignored import ignored_header
from autoglm_phone.server.media_source import MediaSources
from autoglm_phone.server.respond import json_object
from autoglm_phone.server.schemas.picture_request import PictureRequest
from autoglm_phone.server.services import Services

_log = logging.getLogger(__name__)
_PARAM = "image"


def picture_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/images/readings")
    async def read_picture(request: Request) -> Response:
        body = await json_object(request)
        wire, ignored = read_body(PictureRequest, body)
        check_model(wire.model, config)
        try:
            answer = await unless_hung_up(request.receive, _read(wire.image, client_of(request, body)))
        except HungUp:
            _log.info("a client left before its picture was read")
            return Response()  # nobody reads it
        return JSONResponse(answer, headers=ignored_header(ignored))

    async def _read(image: str, client: Client) -> dict[str, Any]:
        if services.pictures is None:
            raise UnsupportedModality("this server takes no pictures: its vision module is not loaded", param=_PARAM)
        sources = MediaSources(services.fetch, 1, config.max_body_bytes)
        picture = await sources.load(image, param=_PARAM, may_be_base64=True)
        read = await services.pictures.read(picture, param=_PARAM, client=client)
        shown = {"object": "image.reading", "seconds": round(read.seconds, 3), "was_cached": read.was_cached}
        if isinstance(read.reading, Embeddings):
            # an encoder's pictures become numbers, which are nothing to look at
            return shown | {"kind": "embeddings", "num_tokens": len(read.reading), "text": "", "lines": []}
        lines = [asdict(line) for line in read.reading.lines]
        return shown | {"kind": "text", "text": read.reading.text, "summary": read.reading.summary, "lines": lines}

    return router
