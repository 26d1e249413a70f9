"""GET /v1/models and /v1/models/{id}."""

import time
from typing import Any

from fastapi import APIRouter

from autoglm_phone.core.errors import UnknownModel
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.schemas.models import model_card
from autoglm_phone.server.services import Services


def model_routes(services: Services, config: ServerConfig) -> APIRouter:
    router = APIRouter()
    created = int(time.time())

    @router.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        modules, window = services.modules(), services.decoder().max_model_len
        return {
            "object": "list",
            "data": [model_card(name, config, window, modules, created) for name in config.model_names],
        }

    @router.get("/v1/models/{name:path}")  # a name may hold slashes, as those of model hubs do
    async def show_model(name: str) -> dict[str, Any]:
        if name not in config.model_names:
            known = ", ".join(config.model_names)
            raise UnknownModel(f"the model {name[:60]!r} is not served here; known: {known}", param="model")
        return model_card(name, config, services.decoder().max_model_len, services.modules(), created)

    return router
