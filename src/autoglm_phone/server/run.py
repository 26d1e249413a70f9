"""serve: Uvicorn with this server's limits, its usual log lines, and an end that open streams cannot put off."""

import contextlib

import uvicorn
from fastapi import FastAPI

from autoglm_phone.server.config import ServerConfig

_KEEP_ALIVE_S = 75
_MAX_HEADER_BYTES = 32 << 10
_MAX_EVENT_BYTES = 16 << 20  # of /v1/realtime, as OpenAI has it


def uvicorn_config(app: FastAPI, config: ServerConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=_MAX_EVENT_BYTES,
        ws_per_message_deflate=False,  # base64 of sound: much work for nothing
        lifespan="on",
        limit_concurrency=config.max_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=config.shutdown_s,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        server_header=False,
        # X-Forwarded-* is believed from this machine only, which is uvicorn's default.
    )


def serve(app: FastAPI, config: ServerConfig) -> None:
    """Blocks until SIGINT or SIGTERM. Exits with uvicorn's status if the address cannot be had."""
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when it is done
        uvicorn.Server(uvicorn_config(app, config)).run()
