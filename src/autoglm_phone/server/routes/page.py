"""GET / and GET /status, the pages, and what they load: files of this package, from the same origin."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoglm_phone.server.edge import CONTENT_SECURITY_POLICY

WEB = Path(__file__).parent.parent / "web"

# Browsers ask again each time, so that no two files are of different releases; an unchanged file costs a 304.
_FRESH = "no-cache"
# Text can become markup nowhere on these pages: a browser refuses innerHTML and its like outright.
_PAGE_HEADERS = {
    "cache-control": _FRESH,
    "content-security-policy": f"{CONTENT_SECURITY_POLICY}; font-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
}


def page_routes() -> APIRouter:
    router = APIRouter()

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html", headers=_PAGE_HEADERS)

    @router.api_route("/status", methods=["GET", "HEAD"])
    async def status() -> FileResponse:
        return FileResponse(WEB / "status.html", headers=_PAGE_HEADERS)

    router.mount("/web", GZipMiddleware(_asked_again(StaticFiles(directory=WEB)), compresslevel=6))
    return router


def _asked_again(app: ASGIApp) -> ASGIApp:
    async def with_header(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["cache-control"] = _FRESH
            await send(message)

        await app(scope, receive, send_with_header)

    return with_header
