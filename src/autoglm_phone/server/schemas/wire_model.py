"""What all wire models share. Types are strict: a number in quotes is not a number. Unknown names are collected."""

from typing import Any

from pydantic import BaseModel, ConfigDict

INT64_MAX = 2**63 - 1

# Tags stand in the places that pydantic names, but not in the request: `~` tells them apart.
TAG = "~"


class WireModel(BaseModel):
    """Null is the same as leaving a field out."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def tag_of_type(value: Any) -> str | None:
    """For objects that say with `type` what they are."""
    return f"{TAG}{value.get('type')}" if isinstance(value, dict) else None
