"""GET /health and GET /metrics."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from autoglm_phone import __version__
from autoglm_phone.core.errors import NotReady
from autoglm_phone.server.errors import ANSWERS
from autoglm_phone.server.services import Services

_RETRY_AFTER_S = 2


def health_routes(services: Services) -> APIRouter:
    router = APIRouter()

    @router.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> JSONResponse:
        """200 while chats are answered; without the media process that is so for text alone: "degraded"."""
        engine = services.engine.status()
        media = services.media.status()
        body: dict[str, Any] = {
            "status": engine.state,
            "version": __version__,
            "engine_pid": engine.pid,
            "engine": {"state": engine.state, "error": engine.error, "restarts": engine.restarts},
            "media_pid": media.pid if media is not None else None,
            "media": None
            if media is None
            else {"state": media.state, "error": media.error, "restarts": media.restarts},
            "modules": [
                {"modality": module.modality, "version": module.version, "digest": module.digest}
                for module in services.modules()
            ],
        }
        if engine.state != "ready":
            return JSONResponse(body, ANSWERS[NotReady].status, {"retry-after": str(_RETRY_AFTER_S)})
        body["status"] = "ok" if media is None or media.state == "ready" else "degraded"
        return JSONResponse(body)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(services.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router
