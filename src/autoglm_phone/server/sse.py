"""Server-sent events: how they are written, and the response that sends them."""

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from autoglm_phone.server.hangup import HungUp, unless_hung_up

_log = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

# Proxies must neither store a stream nor wait for its end.
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def encode_event(data: Mapping[str, Any], name: str | None = None) -> bytes:
    named = f"event: {name}\n".encode() if name is not None else b""
    return named + b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


class EventStream(Response):
    """Sends what the generator gives. However it ends, and when the client hangs up at once, `on_end` is awaited."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(headers={**STREAM_HEADERS, **headers})
        del self.headers["content-length"]
        self._events = events
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await unless_hung_up(receive, self._send(send))
        except HungUp:
            _log.info("a client left its stream")
        finally:
            await self._on_end()

    async def _send(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
