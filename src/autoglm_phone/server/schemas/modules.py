"""What /v1/modules takes and answers."""

from typing import Any

from pydantic import Field

from autoglm_phone.core.module_change import ModuleChange, ModuleUse
from autoglm_phone.server.schemas.models import module_card
from autoglm_phone.server.schemas.wire_model import WireModel


class LoadModuleRequest(WireModel):
    source: str = Field(
        min_length=1,
        max_length=4096,
        description="A bundle's id, or a path that the operator has allowed (`--module-path`).",
    )


def module_use(use: ModuleUse) -> dict[str, Any]:
    return {**module_card(use.info), "requests": use.num_requests, "is_leaving": use.is_leaving}


def module_change(change: ModuleChange) -> dict[str, Any]:
    return {
        "object": "module.change",
        "loaded": module_card(change.loaded) if change.loaded is not None else None,
        "replaced": module_card(change.replaced) if change.replaced is not None else None,
        "seconds": round(change.seconds, 3),
    }
