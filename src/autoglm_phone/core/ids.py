"""Identifiers. A bare int or str never crosses a boundary as an id."""

from typing import NewType

RequestId = NewType("RequestId", str)
"""One request of one client, unique for the life of the server."""

SlotId = NewType("SlotId", int)
"""One sequence of the backend's KV cache, 0 .. max_slots-1."""

TokenId = NewType("TokenId", int)
"""An entry of the decoder's vocabulary."""

Digest = NewType("Digest", str)
"""A sha256 in lower-case hex, never shortened."""
