"""Wire to use case: a chat request as clients write it becomes a Conversation and a ChatRequest, or an error."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.core.conversation import AudioPart, Conversation, ImagePart, Message, Part, Role, TextPart
from autoglm_phone.core.errors import InvalidRequest, UnknownModel
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.fields import extra_fields, ignored_paths, refuse_unsupported
from autoglm_phone.server.media_source import MediaSources
from autoglm_phone.server.schemas.chat_request import (
    TAG,
    AudioUrlPart,
    ChatCompletionRequest,
    ImageUrlPart,
    InputAudioPart,
    RefusalPart,
    WireMessage,
)
from autoglm_phone.server.schemas.chat_request import (
    TextPart as WireTextPart,
)
from autoglm_phone.server.services import FetchMedia

MAX_SHOWN_CHARS = 60

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def read_fields(body: dict[str, Any], config: ServerConfig) -> tuple[ChatCompletionRequest, list[str]]:
    """The request with its types and ranges checked, and the names that mean nothing here."""
    if isinstance(body.get("audio"), dict):
        raise InvalidRequest(
            "`audio` as an object asks for spoken output, which is not supported yet; "
            "a sound to be heard is a string, a data URI",
            param="audio",
        )
    try:
        wire = ChatCompletionRequest.model_validate(body)
    except ValidationError as error:
        raise _first_fault(error) from None
    extra = list(extra_fields(wire))
    refuse_unsupported(extra)
    _check_model(wire.model, config)
    _check_combinations(wire)
    return wire, ignored_paths(extra)


async def to_chat_request(wire: ChatCompletionRequest, config: ServerConfig, fetch: FetchMedia) -> ChatRequest:
    sources = MediaSources(fetch, config.max_media_parts, config.max_body_bytes)
    messages = [await _to_message(message, index, sources) for index, message in enumerate(wire.messages)]
    top_level = await _top_level_media(wire, sources)
    if top_level:
        messages = _add_to_last_user_turn(messages, top_level)
    return ChatRequest(
        conversation=Conversation(tuple(messages)),
        sampling=_sampling(wire, config.default_sampling),
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        stop=_stop(wire),
        ignore_eos=bool(wire.ignore_eos),
        truncation=wire.truncation,
        enable_thinking=bool(_agreed(_thinking_switches(wire))),
        return_reasoning=_agreed(_reasoning_switches(wire)) is not False,
        use_default_system_prompt=wire.use_default_system_prompt is not False,
    )


def _first_fault(error: ValidationError) -> InvalidRequest:
    faults = error.errors(include_url=False, include_context=False)
    param = _path(faults[0]["loc"])
    given = faults[0]["input"]
    shown = ""
    if faults[0]["type"] != "missing" and isinstance(given, str | int | float | None):
        text = repr(given)
        shown = f", not {text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + '…'}"
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    message = faults[0]["msg"].removeprefix("Input ")
    return InvalidRequest(f"`{param}`: {message[0].lower()}{message[1:]}{shown}{more}", param=param)


def _path(place: Sequence[str | int]) -> str:
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not step.startswith(TAG):
            path += f".{step}" if path else step
    return path


def _check_model(name: str | None, config: ServerConfig) -> None:
    if name is not None and name not in config.model_names:
        known = ", ".join(config.model_names)
        raise UnknownModel(f"the model {name[:MAX_SHOWN_CHARS]!r} is not served here; known: {known}", param="model")


def _check_combinations(wire: ChatCompletionRequest) -> None:
    if wire.stream_options is not None and not wire.stream:
        raise InvalidRequest("`stream_options` is for streams; set `stream` to true", param="stream_options")
    if None not in (wire.max_tokens, wire.max_completion_tokens) and wire.max_tokens != wire.max_completion_tokens:
        raise InvalidRequest("`max_tokens` and `max_completion_tokens` differ; send one of them", param="max_tokens")
    _agreed(_thinking_switches(wire))
    _agreed(_reasoning_switches(wire))


def _thinking_switches(wire: ChatCompletionRequest) -> dict[str, bool | None]:
    nested = wire.chat_template_kwargs.enable_thinking if wire.chat_template_kwargs is not None else None
    return {"enable_thinking": wire.enable_thinking, "chat_template_kwargs.enable_thinking": nested}


def _reasoning_switches(wire: ChatCompletionRequest) -> dict[str, bool | None]:
    return {"return_reasoning": wire.return_reasoning, "include_reasoning": wire.include_reasoning}


def _agreed(switches: dict[str, bool | None]) -> bool | None:
    """One value under several names."""
    given = {value for value in switches.values() if value is not None}
    if len(given) > 1:
        names = " and ".join(f"`{name}`" for name in switches)
        raise InvalidRequest(f"{names} contradict each other; send one of them", param=next(iter(switches)))
    return given.pop() if given else None


def _sampling(wire: ChatCompletionRequest, default: SamplingParams) -> SamplingParams:
    def chosen(given: float | None, otherwise: float) -> float:
        return otherwise if given is None else given

    return SamplingParams(
        temperature=chosen(wire.temperature, default.temperature),
        top_p=chosen(wire.top_p, default.top_p),
        top_k=max(0, default.top_k if wire.top_k is None else wire.top_k),
        min_p=chosen(wire.min_p, default.min_p),
        frequency_penalty=chosen(wire.frequency_penalty, default.frequency_penalty),
        presence_penalty=chosen(wire.presence_penalty, default.presence_penalty),
        repetition_penalty=chosen(wire.repetition_penalty, default.repetition_penalty),
        seed=default.seed if wire.seed is None else wire.seed,
    )


def _stop(wire: ChatCompletionRequest) -> tuple[str, ...]:
    return (wire.stop,) if isinstance(wire.stop, str) else tuple(wire.stop or ())


async def _to_message(message: WireMessage, index: int, sources: MediaSources) -> Message:
    place = f"messages[{index}]"
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidRequest(
            f"`{place}.role`: {message.role!r} belongs to tool calls, which are not supported yet",
            param=f"{place}.role",
        )
    content = message.content
    if content is None:
        if role != "assistant":
            raise InvalidRequest(f"`{place}.content`: a {role} message needs content", param=f"{place}.content")
        content = message.refusal or ""
    if isinstance(content, str):
        return Message(role, (TextPart(content),))
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
    return Message(role, tuple(parts))


async def _top_level_media(wire: ChatCompletionRequest, sources: MediaSources) -> list[Part]:
    media: list[Part] = []
    for index, image in enumerate(wire.images or ()):
        param = f"images[{index}]"
        media.append(ImagePart(await sources.load(image, param=param, may_be_base64=True), param))
    if wire.audio is not None:
        media.append(AudioPart(await sources.load(wire.audio, param="audio", may_be_base64=True), "audio"))
    return media


def _add_to_last_user_turn(messages: list[Message], media: list[Part]) -> list[Message]:
    index = next(_indexes_from_the_end(messages, "user"), None)
    if index is None:
        raise InvalidRequest("`images` and `audio` belong to a user message, and there is none", param="messages")
    turn = messages[index]
    return [*messages[:index], Message("user", (*media, *turn.parts)), *messages[index + 1 :]]


def _indexes_from_the_end(messages: Sequence[Message], role: Role) -> Iterator[int]:
    return (index for index in reversed(range(len(messages))) if messages[index].role == role)
