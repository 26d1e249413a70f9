"""GET / and what the page loads: files of this package, from the same origin."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parent.parent / "web"

# Browsers ask again each time; an unchanged file costs a 304.
_HEADERS = {"cache-control": "no-cache"}


def page_routes() -> APIRouter:
    router = APIRouter()

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html", headers=_HEADERS)

    router.mount("/web", StaticFiles(directory=WEB))
    return router
