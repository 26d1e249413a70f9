"""What the server says: events with ids, sent one at a time; errors in OpenAI's form."""

import base64
import binascii
import json
import secrets
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.errors import error_body


class Say(Protocol):
    """Sends one event. Where the client has gone, nothing happens."""

    async def __call__(self, kind: str, /, **fields: Any) -> None: ...


def event_text(kind: str, fields: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "event_id": f"event_{secrets.token_hex(12)}", **fields}, ensure_ascii=False)


def error_fields(error: BaseException, event_id: str | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = error_body(error)["error"]
    return {**fields, "event_id": event_id}


def samples_of(audio: str, *, param: str) -> NDArray[np.int16]:
    """Base64 of 16-bit little-endian mono samples."""
    try:
        data = base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"`{param}`: not base64", param=param) from None
    if len(data) % 2:
        raise InvalidRequest(f"`{param}`: {len(data)} bytes are no 16-bit samples", param=param)
    return np.frombuffer(data, "<i2").astype(np.int16)
