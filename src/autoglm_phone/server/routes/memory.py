"""GET /v1/memory."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from autoglm_phone.server.services import Services


def memory_routes(services: Services) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/memory")
    async def memory() -> dict[str, Any]:
        report = services.memory()
        estimate = report.estimate
        return {
            "machine_bytes": report.machine_bytes,
            "estimated": None
            if estimate is None
            else {
                "needed_bytes": estimate.needed_bytes,
                "resident_bytes": estimate.resident_bytes,
                "largest_bytes": estimate.largest_bytes,
                "parts": [asdict(part) for part in estimate.parts],
            },
            "measured": [
                {"process": process, "resident_bytes": size_bytes} for process, size_bytes in report.measured.items()
            ],
        }

    return router
