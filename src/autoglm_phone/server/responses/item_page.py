"""GET /v1/responses/{id}/input_items: one page of a list of items."""

from collections.abc import Mapping, Sequence
from typing import Any

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.responses.items import Item

MAX_LIMIT = 100
DEFAULT_LIMIT = 20


def item_page(items: Sequence[Item], query: Mapping[str, str]) -> dict[str, Any]:
    """items: the oldest first. query: `order` (desc is the default), `limit`, and `after`, the id of an item."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"`order` is asc or desc, not {order[:20]!r}", param="order")
    ordered = list(items) if order == "asc" else list(reversed(items))
    if (after := query.get("after")) is not None:
        index = next((index for index, item in enumerate(ordered) if item["id"] == after), None)
        if index is None:
            raise InvalidRequest(f"`after` names no item of this list: {after[:60]!r}", param="after")
        ordered = ordered[index + 1 :]
    limit = _limit(query.get("limit"))
    page = ordered[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(ordered) > limit,
    }


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT):
        raise InvalidRequest(f"`limit` is a number from 1 to {MAX_LIMIT}, not {given[:20]!r}", param="limit")
    return int(given)
