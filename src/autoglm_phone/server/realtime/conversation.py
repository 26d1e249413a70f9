"""The items of one realtime conversation, in OpenAI's form, in order, and whose words are still being heard."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.responses.memory_size import memory_bytes

MAX_ITEMS = 1000
MAX_BYTES = 64 << 20
MAX_SHOWN_CHARS = 60

Item = dict[str, Any]


def new_item_id() -> str:
    return f"item_{secrets.token_hex(12)}"


@dataclass(eq=False)
class Entry:
    """is_heard: set once the words of its sound are known, or will never be. spoken: how long each piece took to say.

    is_silent: nothing was understood in it.
    """

    item: Item
    is_heard: asyncio.Event = field(default_factory=asyncio.Event)
    spoken: list[tuple[str, float]] = field(default_factory=list)
    is_silent: bool = False

    @property
    def id(self) -> str:
        return str(self.item["id"])


class Conversation:
    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def last_id(self) -> str | None:
        return self._entries[-1].id if self._entries else None

    def find(self, item_id: str) -> Entry | None:
        return next((entry for entry in self._entries if entry.id == item_id), None)

    def get(self, item_id: str) -> Entry:
        if (entry := self.find(item_id)) is None:
            raise InvalidRequest(f"`item_id`: there is no item {item_id[:MAX_SHOWN_CHARS]!r}", param="item_id")
        return entry

    def add(self, entry: Entry, behind: str | None = None) -> str | None:
        """Behind the item of this id, at the very front for "root", at the end for None. The id before its place."""
        if len(self._entries) >= MAX_ITEMS:
            raise InvalidRequest(f"a conversation has at most {MAX_ITEMS} items; delete some")
        if sum(memory_bytes(one.item) for one in (*self._entries, entry)) > MAX_BYTES:
            raise InvalidRequest(f"the items of a conversation have at most {MAX_BYTES} bytes; delete some")
        if self.find(entry.id) is not None:
            raise InvalidRequest(f"`item.id`: {entry.id[:MAX_SHOWN_CHARS]!r} is taken", param="item.id")
        place = len(self._entries)
        if behind == "root":
            place = 0
        elif behind is not None:
            place = self._entries.index(self.get(behind)) + 1
        self._entries.insert(place, entry)
        return self._entries[place - 1].id if place else None

    def delete(self, item_id: str) -> None:
        self._entries.remove(self.get(item_id))

    async def wait_until_heard(self) -> None:
        for entry in tuple(self._entries):
            await entry.is_heard.wait()

    def as_input(self) -> list[Item]:
        """As items of a response request: what was said stands as text."""
        return [as_input(entry.item) for entry in self._entries if not entry.is_silent]


def as_input(item: Mapping[str, Any]) -> Item:
    match item["type"]:
        case "message":
            content = [part for part in map(_as_part, item["content"]) if part is not None]
            return {"type": "message", "role": item["role"], "content": content}
        case "function_call":
            return {name: item[name] for name in ("type", "call_id", "name", "arguments")}
        case _:
            return {name: item[name] for name in ("type", "call_id", "output")}


def _as_part(part: Mapping[str, Any]) -> Item | None:
    match part["type"]:
        case "input_audio":
            return {"type": "input_text", "text": part.get("transcript") or ""}
        case "output_audio":
            return {"type": "output_text", "text": part.get("transcript") or ""}
        case "input_text" | "output_text":
            return {"type": part["type"], "text": part["text"]}
        case _:
            return {"type": "input_image", "image_url": part["image_url"]}


def spoken_until(pieces: Sequence[tuple[str, float]], audio_end_ms: int) -> str:
    """What had been said after so much of the sound; of the piece that was cut off, its share of words."""
    text, left_ms = "", float(audio_end_ms)
    for piece, length_ms in pieces:
        if left_ms >= length_ms:
            text, left_ms = text + piece, left_ms - length_ms
            continue
        kept = piece[: int(len(piece) * max(0.0, left_ms) / length_ms)] if length_ms else ""
        return text + kept
    return text
