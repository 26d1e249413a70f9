"""create_app: the HTTP side, put together. Who builds the services starts and stops them in `lifespan`."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from autoglm_phone import __version__
from autoglm_phone.server import errors
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.edge import Edge
from autoglm_phone.server.limits import BodyLimit, KeyCheck, OriginCheck
from autoglm_phone.server.routes.audio import audio_routes
from autoglm_phone.server.routes.chat import chat_routes
from autoglm_phone.server.routes.completions import completion_routes
from autoglm_phone.server.routes.docs_page import docs_routes
from autoglm_phone.server.routes.health import health_routes
from autoglm_phone.server.routes.memory import memory_routes
from autoglm_phone.server.routes.models import model_routes
from autoglm_phone.server.routes.modules import module_routes
from autoglm_phone.server.routes.page import page_routes
from autoglm_phone.server.routes.pictures import picture_routes
from autoglm_phone.server.routes.realtime import realtime_routes
from autoglm_phone.server.routes.responses import response_routes
from autoglm_phone.server.routes.speech import speech_routes
from autoglm_phone.server.routes.text import text_routes
from autoglm_phone.server.services import Services

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(services: Services, config: ServerConfig, lifespan: Lifespan | None = None) -> FastAPI:
    app = FastAPI(
        title="AutoGLM-Phone",
        version=__version__,
        lifespan=lifespan,
        # FastAPI's own pages load scripts from elsewhere, and its document knows nothing of bodies; see `openapi`.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    errors.install(app)
    for router in (chat_routes(services, config), model_routes(services, config), health_routes(services)):
        app.include_router(router)
    app.include_router(memory_routes(services))
    app.include_router(module_routes(services))
    app.include_router(completion_routes(services, config))
    app.include_router(text_routes(services, config))
    app.include_router(audio_routes(services, config))
    app.include_router(response_routes(services, config))
    app.include_router(speech_routes(services, config))
    app.include_router(realtime_routes(services, config))
    app.include_router(picture_routes(services, config))
    app.include_router(page_routes())
    app.include_router(docs_routes(config))
    # The last added is the outermost: headers and the last catch, origin, key, body, routes.
    app.add_middleware(
        BodyLimit,
        max_bytes=config.max_body_bytes,
        max_open_bytes=config.max_open_bytes,
        timeout_s=config.body_timeout_s,
    )
    app.add_middleware(KeyCheck, api_key=config.api_key, admin_key=config.admin_key)
    app.add_middleware(OriginCheck, config=config)
    app.add_middleware(Edge)
    services.metrics.watch_engine(services.engine.status)
    services.metrics.watch_media(services.media.status)
    services.metrics.watch_modules(services.modules)
    return app
