"""GET /docs and GET /openapi.json: what the endpoints take and give, for people and for programs."""

import asyncio
import json
from functools import cache

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.openapi.document import openapi_document
from autoglm_phone.server.routes.page import WEB

_HEADERS = {"cache-control": "no-cache"}
# Swagger UI's files; nothing of this package is imported into the server's work.
_SWAGGER_UI = ("fastapi_offline", "static")


def docs_routes(config: ServerConfig) -> APIRouter:
    router = APIRouter()

    @cache
    def document() -> bytes:
        """Made when it is first asked for: it takes a third of a second, and most servers are never asked."""
        return json.dumps(openapi_document(config), ensure_ascii=False, separators=(",", ":")).encode()

    @router.api_route("/openapi.json", methods=["GET", "HEAD"])
    async def openapi() -> Response:
        return Response(await asyncio.to_thread(document), media_type="application/json", headers=_HEADERS)

    @router.api_route("/docs", methods=["GET", "HEAD"])
    async def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html", headers=_HEADERS)

    router.mount("/docs/ui", StaticFiles(packages=[_SWAGGER_UI]))
    return router
