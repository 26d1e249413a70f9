"""Wire to use case: a chat request as clients write it becomes a ChatRequest, or an error that names the field."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from autoglm_phone.chat.chat_request import ChatRequest
from autoglm_phone.core.conversation import Conversation
from autoglm_phone.core.errors import InvalidRequest, UnknownModel
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import Client
from autoglm_phone.server.config import ServerConfig
from autoglm_phone.server.convert_messages import add_to_last_user_turn, to_messages, top_level_media
from autoglm_phone.server.convert_output import is_constrained, to_grammar, to_tools
from autoglm_phone.server.convert_sampling import to_sampling, to_stop
from autoglm_phone.server.convert_thinking import to_thinking
from autoglm_phone.server.fields import extra_fields, ignored_paths, refuse_unsupported
from autoglm_phone.server.media_source import MediaSources
from autoglm_phone.server.schemas.chat_request import ChatCompletionRequest
from autoglm_phone.server.schemas.wire_model import TAG
from autoglm_phone.server.services import FetchMedia

MAX_SHOWN_CHARS = 60

Wire = TypeVar("Wire", bound=BaseModel)


def read_fields(body: dict[str, Any], config: ServerConfig) -> tuple[ChatCompletionRequest, list[str]]:
    """The request with its types and ranges checked, and the names that mean nothing here."""
    if isinstance(body.get("audio"), dict):
        raise InvalidRequest(
            "`audio` as an object asks for spoken output, which is not supported yet; "
            "a sound to be heard is a string, a data URI",
            param="audio",
        )
    wire, ignored = read_body(ChatCompletionRequest, body)
    check_model(wire.model, config)
    _check_combinations(wire)
    return wire, ignored


def read_body(schema: type[Wire], body: dict[str, Any]) -> tuple[Wire, list[str]]:
    """Any body by its schema: types and ranges checked, unsupported fields refused, unknown names collected."""
    try:
        wire = schema.model_validate(body)
    except ValidationError as error:
        raise first_fault(error) from None
    extra = list(extra_fields(wire))
    refuse_unsupported(extra)
    return wire, ignored_paths(extra)


async def to_chat_request(
    wire: ChatCompletionRequest, config: ServerConfig, fetch: FetchMedia, client: Client | None = None
) -> ChatRequest:
    """client: who asks; None where nothing is to be computed."""
    sources = MediaSources(fetch, config.max_media_parts, config.max_body_bytes)
    # Compiling a hostile schema takes a while; other streams go on meanwhile.
    grammar = await asyncio.to_thread(to_grammar, wire)
    messages = await to_messages(wire.messages, sources)
    top_level = await top_level_media(wire.images or (), wire.audio, sources)
    if top_level:
        messages = add_to_last_user_turn(messages, top_level)
    return ChatRequest(
        conversation=Conversation(tuple(messages)),
        sampling=to_sampling(wire, config.default_sampling),
        max_tokens=wire.max_completion_tokens or wire.max_tokens,
        stop=to_stop(wire.stop),
        stop_tokens=tuple(map(TokenId, wire.stop_token_ids or ())),
        ignore_eos=bool(wire.ignore_eos),
        truncation=wire.truncation,
        thinking=to_thinking(wire),
        tools=to_tools(wire),
        grammar=grammar,
        num_choices=wire.n or 1,
        top_logprobs=(wire.top_logprobs or 0) if wire.logprobs else None,
        continues_last=_continues_last(wire),
        use_default_system_prompt=wire.use_default_system_prompt is not False,
        client=client or Client(),
    )


def first_fault(error: ValidationError) -> InvalidRequest:
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


def check_model(name: str | None, config: ServerConfig) -> None:
    if name is not None and name not in config.model_names:
        known = ", ".join(config.model_names)
        raise UnknownModel(f"the model {name[:MAX_SHOWN_CHARS]!r} is not served here; known: {known}", param="model")


def check_tokens(tokens: Iterable[int], vocab_size: int, *, param: str) -> None:
    wrong = next((token for token in tokens if not 0 <= token < vocab_size), None)
    if wrong is not None:
        raise InvalidRequest(f"`{param}`: there is no token {wrong}, only 0 to {vocab_size - 1}", param=param)


def _check_combinations(wire: ChatCompletionRequest) -> None:
    if wire.stream_options is not None and not wire.stream:
        raise InvalidRequest("`stream_options` is for streams; set `stream` to true", param="stream_options")
    if None not in (wire.max_tokens, wire.max_completion_tokens) and wire.max_tokens != wire.max_completion_tokens:
        raise InvalidRequest("`max_tokens` and `max_completion_tokens` differ; send one of them", param="max_tokens")
    if wire.top_logprobs and not wire.logprobs:
        raise InvalidRequest("`top_logprobs` goes with `logprobs`: set it to true", param="top_logprobs")
    thinking, tools = to_thinking(wire), to_tools(wire)
    if any(message.prefix for message in wire.messages[:-1]):
        raise InvalidRequest("`prefix` is for the last message: it is the one to be continued", param="messages")
    if _continues_last(wire):
        _check_continuation(wire)
        if thinking.is_on:
            raise InvalidRequest(
                "an answer that is continued cannot be thought about anew; leave `enable_thinking` out",
                param="continue_final_message",
            )
    elif wire.add_generation_prompt is False:
        raise InvalidRequest(
            "without a new turn there is nothing to answer; send `continue_final_message` to go on with the last one",
            param="add_generation_prompt",
        )
    if wire.ignore_eos and (tools.are_offered or is_constrained(wire)):
        raise InvalidRequest(
            "`ignore_eos` cannot go with tools or structured output, which end where their form is complete",
            param="ignore_eos",
        )


def _continues_last(wire: ChatCompletionRequest) -> bool:
    return bool(wire.continue_final_message or wire.messages[-1].prefix)


def _check_continuation(wire: ChatCompletionRequest) -> None:
    last = wire.messages[-1]
    if wire.add_generation_prompt:
        raise InvalidRequest(
            "`add_generation_prompt` opens a new turn, `continue_final_message` goes on with the last; send one",
            param="add_generation_prompt",
        )
    if last.role != "assistant" or last.tool_calls:
        what = "calls tools" if last.tool_calls else f"is of {last.role}"
        raise InvalidRequest(
            f"the last message is to be continued, but it {what}; end `messages` with an assistant's text",
            param="messages",
        )
