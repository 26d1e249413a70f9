"""Items to the messages of a chat. Where each came from is noted, so that errors can name the client's own field."""

from dataclasses import dataclass, field
from typing import Any

from autoglm_phone.server.responses.items import Item


@dataclass(frozen=True)
class Placed:
    """place: where the item stands in the request, as in `input[2]`."""

    item: Item
    place: str


@dataclass
class Messages:
    """places: path in the chat request -> path in this one."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    # Calls join the assistant's message before them, as chats have it; what stands between ends that.
    _is_open: bool = False

    def add_instructions(self, text: str) -> None:
        self._append({"role": "system", "content": text}, "instructions")

    def add(self, placed: Placed) -> None:
        item, place = placed.item, placed.place
        match item["type"]:
            case "message":
                role = item["role"]
                self._append({"role": role, "content": [_chat_part(part) for part in item["content"]]}, place)
                self._is_open = role == "assistant"
            case "function_call":
                self._add_call(item, place)
            case "function_call_output":
                output = item["output"]
                content = output if isinstance(output, str) else [_chat_part(part) for part in output]
                at = self._append({"role": "tool", "tool_call_id": item["call_id"], "content": content}, place)
                self.places[f"{at}.content"] = f"{place}.output"
                self.places[f"{at}.tool_call_id"] = f"{place}.call_id"
                self._is_open = False
            case "reasoning":
                pass  # older thoughts are not read again
            case kind:
                raise AssertionError(f"no such item: {kind}")

    def _add_call(self, item: Item, place: str) -> None:
        if not self._is_open:
            self._append({"role": "assistant", "content": None}, place)
            self._is_open = True
        calls = self.messages[-1].setdefault("tool_calls", [])
        at = f"messages[{len(self.messages) - 1}].tool_calls[{len(calls)}]"
        self.places |= {at: place, f"{at}.id": f"{place}.call_id", f"{at}.function": place}
        called = {"name": item["name"], "arguments": item["arguments"]}
        calls.append({"id": item["call_id"], "type": "function", "function": called})

    def _append(self, message: dict[str, Any], place: str) -> str:
        at = f"messages[{len(self.messages)}]"
        self.messages.append(message)
        self.places[at] = place
        return at


def _chat_part(part: dict[str, Any]) -> dict[str, Any]:
    match part["type"]:
        case "input_text" | "output_text":
            return {"type": "text", "text": part["text"]}
        case "refusal":
            return {"type": "refusal", "refusal": part["refusal"]}
        case "input_image":
            return {"type": "image_url", "image_url": {"url": part["image_url"], "detail": part["detail"]}}
        case "input_audio":
            return {"type": "input_audio", "input_audio": part["input_audio"]}
        case kind:
            raise AssertionError(f"no such part: {kind}")
