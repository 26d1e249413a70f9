"""GET /v1/modules, and with the admin key POST and DELETE /v1/modules/{modality}."""

from typing import Any

from fastapi import APIRouter, Request

from autoglm_phone.core.errors import NoSuchModule
from autoglm_phone.core.module import Modality
from autoglm_phone.server.convert import read_body
from autoglm_phone.server.respond import json_object
from autoglm_phone.server.schemas.modules import LoadModuleRequest, module_change, module_use
from autoglm_phone.server.services import Services

_MODALITIES: dict[str, Modality] = {"text": "text", "vision": "vision", "speech": "speech", "voice": "voice"}


def module_routes(services: Services) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/modules")
    async def list_modules() -> dict[str, Any]:
        return {"object": "list", "data": [module_use(use) for use in services.changes.uses()]}

    @router.post("/v1/modules/{modality}")
    async def load_module(modality: str, request: Request) -> dict[str, Any]:
        wire, _ = read_body(LoadModuleRequest, await json_object(request))
        return module_change(await services.changes.load(_modality(modality), wire.source))

    @router.delete("/v1/modules/{modality}")
    async def unload_module(modality: str) -> dict[str, Any]:
        return module_change(await services.changes.unload(_modality(modality)))

    return router


def _modality(name: str) -> Modality:
    known = _MODALITIES.get(name)
    if known is None:
        raise NoSuchModule(f"there is no module {name[:60]!r}, only {', '.join(_MODALITIES)}", param="modality")
    return known
