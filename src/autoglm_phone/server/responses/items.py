"""Items in the one form in which they are kept, listed and turned into messages: OpenAI's JSON, every item with an id.

They are values: nobody changes an item once it is made, so that responses, dialogues and lists share them.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from autoglm_phone.server.responses.input_items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputItem,
    InputText,
    ItemReference,
    MessageItem,
    OutputText,
    Part,
    ReasoningItem,
    Refusal,
    TextOrParts,
)

Item = Mapping[str, Any]

MESSAGE, REASONING, CALL, CALL_OUTPUT, RESPONSE = "msg", "rs", "fc", "fco", "resp"


def new_id(kind: str) -> str:
    """Nobody can guess one: whoever knows the id of a response may read it."""
    return f"{kind}_{secrets.token_hex(24)}"


def user_text(text: str) -> Item:
    return _message(new_id(MESSAGE), "user", [{"type": "input_text", "text": text}], "completed")


def kept_form(item: InputItem) -> Item:
    """A reference has none: it is resolved before."""
    match item:
        case MessageItem():
            content = _parts(item.content, item.role)
            return _message(item.id or new_id(MESSAGE), item.role, content, item.status or "completed")
        case FunctionCallItem():
            status = item.status or "completed"
            return function_call(item.id or new_id(CALL), item.call_id, item.name, item.arguments, status)
        case FunctionCallOutputItem():
            output = item.output if isinstance(item.output, str) else _parts(item.output, "tool")
            return {
                "id": item.id or new_id(CALL_OUTPUT),
                "type": "function_call_output",
                "status": item.status or "completed",
                "call_id": item.call_id,
                "output": output,
            }
        case ReasoningItem():
            summary = [{"type": "summary_text", "text": part.text} for part in item.summary or ()]
            content = [{"type": "reasoning_text", "text": part.text} for part in item.content or ()]
            return {"id": item.id or new_id(REASONING), "type": "reasoning", "summary": summary, "content": content}
        case ItemReference():
            raise AssertionError("references are resolved before")
        case _:
            assert_never(item)


def with_unique_ids(items: Iterable[Item], earlier: Iterable[Item]) -> tuple[Item, ...]:
    """Lists are paged by ids, so what a client has sent twice, or what stands earlier, gets an id of its own."""
    seen = {item["id"] for item in earlier}
    unique: list[Item] = []
    for item in items:
        if item["id"] in seen:
            item = {**item, "id": new_id(_KINDS[item["type"]])}
        seen.add(item["id"])
        unique.append(item)
    return tuple(unique)


_KINDS = {"message": MESSAGE, "reasoning": REASONING, "function_call": CALL, "function_call_output": CALL_OUTPUT}


def function_call(id: str, call_id: str, name: str, arguments: str, status: str) -> Item:
    return {
        "id": id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def output_message(id: str, content: list[dict[str, Any]], status: str) -> Item:
    return _message(id, "assistant", content, status)


def output_text(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text}


def _message(id: str, role: str, content: list[dict[str, Any]], status: str) -> Item:
    return {"id": id, "type": "message", "status": status, "role": role, "content": content}


def _parts(content: TextOrParts, role: str) -> list[dict[str, Any]]:
    if not isinstance(content, str):
        return [_part(part) for part in content]
    return [output_text(content, [])] if role == "assistant" else [{"type": "input_text", "text": content}]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case InputText():
            return {"type": "input_text", "text": part.text}
        case OutputText():
            return output_text(part.text, [])
        case Refusal():
            return {"type": "refusal", "refusal": part.refusal}
        case InputImage():
            return {"type": "input_image", "image_url": part.image_url, "detail": part.detail or "auto"}
        case InputAudio():
            sound = {"data": part.input_audio.data, "format": part.input_audio.format or "wav"}
            return {"type": "input_audio", "input_audio": sound}
        case _:
            assert_never(part)
