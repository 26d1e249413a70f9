"""Messages as clients write them to messages of a conversation, their media fetched or decoded from base64."""

from collections.abc import Sequence
from itertools import groupby

from autoglm_phone.core.conversation import AudioPart, ImagePart, Message, Part, Role, TextPart, ToolCall
from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.server.media_source import MediaSources
from autoglm_phone.server.schemas.messages import (
    AudioUrlPart,
    ImageUrlPart,
    InputAudioPart,
    RefusalPart,
    WireMessage,
)
from autoglm_phone.server.schemas.messages import (
    TextPart as WireTextPart,
)

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


async def to_messages(wire: Sequence[WireMessage], sources: MediaSources) -> list[Message]:
    places = {id(message): index for index, message in enumerate(wire)}
    return [await _to_message(message, places[id(message)], sources) for message in _results_in_order(wire)]


def _results_in_order(wire: Sequence[WireMessage]) -> list[WireMessage]:
    """Results of parallel calls in the order of the calls: the model tells them apart by nothing else."""
    ordered: list[WireMessage] = []
    for role, run in groupby(wire, key=lambda message: message.role):
        messages = list(run)
        calls = ordered[-1].tool_calls if ordered else None
        if role == "tool" and calls:
            order = {call.id: index for index, call in enumerate(calls)}
            messages.sort(key=lambda message: order.get(message.tool_call_id or "", len(order)))
        ordered += messages
    return ordered


async def _to_message(message: WireMessage, index: int, sources: MediaSources) -> Message:
    place = f"messages[{index}]"
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidRequest(f"`{place}.role`: {message.role!r} is of old; use `tools`", param=f"{place}.role")
    if message.tool_calls and role != "assistant":
        raise InvalidRequest(
            f"`{place}.tool_calls`: calls belong to the assistant, not to {role}", param=f"{place}.tool_calls"
        )
    calls = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ())
    content = message.content
    if content is None:
        if role != "assistant":
            raise InvalidRequest(f"`{place}.content`: a {role} message needs content", param=f"{place}.content")
        content = message.refusal or ""
    if isinstance(content, str):
        return Message(role, (TextPart(content),), calls)
    parts: list[Part] = []
    for number, part in enumerate(content):
        param = f"{place}.content[{number}]"
        if role != "user" and not isinstance(part, WireTextPart | RefusalPart):
            raise InvalidRequest(f"`{param}`: pictures and sounds belong to user messages, not to {role}", param=param)
        match part:
            case WireTextPart():
                parts.append(TextPart(part.text))
            case RefusalPart():
                parts.append(TextPart(part.refusal))
            case ImageUrlPart():
                parts.append(ImagePart(await sources.load(part.image_url.url, param=param), param))
            case InputAudioPart():
                parts.append(
                    AudioPart(await sources.load(part.input_audio.data, param=param, may_be_base64=True), param)
                )
            case AudioUrlPart():
                parts.append(AudioPart(await sources.load(part.audio_url.url, param=param), param))
    return Message(role, tuple(parts), calls)


async def top_level_media(images: Sequence[str], audio: str | None, sources: MediaSources) -> list[Part]:
    """The article's `images` and `audio`, which stand beside the messages."""
    media: list[Part] = []
    for index, image in enumerate(images):
        param = f"images[{index}]"
        media.append(ImagePart(await sources.load(image, param=param, may_be_base64=True), param))
    if audio is not None:
        media.append(AudioPart(await sources.load(audio, param="audio", may_be_base64=True), "audio"))
    return media


def add_to_last_user_turn(messages: list[Message], media: list[Part]) -> list[Message]:
    index = next((i for i in reversed(range(len(messages))) if messages[i].role == "user"), None)
    if index is None:
        raise InvalidRequest("`images` and `audio` belong to a user message, and there is none", param="messages")
    turn = messages[index]
    return [*messages[:index], Message("user", (*media, *turn.parts)), *messages[index + 1 :]]
