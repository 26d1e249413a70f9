"""Fields of a chat request that change nothing here: accepted without effect, or refused unless they ask for nothing.

The tables are also what docs/http-api.md shows. Fields with an effect are in `schemas/chat_request.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from autoglm_phone.core.errors import InvalidRequest

# Field -> why leaving it out gives the same answer.
WITHOUT_EFFECT: Mapping[str, str] = {
    "user": "only tells clients at one address apart when the decoder is shared out; it is not kept",
    "safety_identifier": "as `user`, and before it",
    "metadata": "nothing is stored",
    "store": "nothing is stored",
    "service_tier": "there is one tier",
    "prompt_cache_key": "prefixes are found by their content",
    "prompt_cache_options": "prefixes are found by their content",
    "prompt_cache_retention": "prefixes are kept as long as there is room",
    "cache_prompt": "prefixes are found by their content; the answer is the same",
    "prediction": "only a hint for speed",
    "guided_decoding_backend": "there is one",
    "request_id": "the server names its answers itself",
    "stream_options.include_obfuscation": "no padding is sent",
    "messages.name": "the templates have no place for names",
    "messages.tool_calls.index": "calls are told apart by their ids",
    "messages.annotations": "part of an older answer that is not read again",
    "messages.reasoning": "older thoughts are not read again",
    "messages.reasoning_content": "older thoughts are not read again",
    "messages.content.uuid": "media are found by their content",
    "messages.content.cache_control": "prefixes are found by their content",
    "messages.content.image_url.detail": "every picture is read in full",
    "messages.content.input_audio.format": "the bytes say what they are",
}


@dataclass(frozen=True)
class Unsupported:
    """no_op: values, besides null, that ask for nothing and pass. hint: what to do instead."""

    no_op: tuple[Any, ...] = ()
    hint: str = ""


_TOOLS = "use `tools`"
_OTHER_SAMPLER = "this sampler is not supported; there are top_k, top_p and min_p"

UNSUPPORTED: Mapping[str, Unsupported] = {
    "structured_outputs.structural_tag": Unsupported(hint="use `tools`, or `grammar`"),
    "structured_outputs.whitespace_pattern": Unsupported(hint="JSON is written with single spaces"),
    "functions": Unsupported(([],), _TOOLS),
    "function_call": Unsupported(("none", "auto"), _TOOLS),
    "guided_whitespace_pattern": Unsupported(hint="JSON is written with single spaces"),
    "format": Unsupported(("",), "use `response_format`"),
    "best_of": Unsupported((1,), "one answer a request; send it again with another seed"),
    "use_beam_search": Unsupported((False,)),
    "length_penalty": Unsupported((1, 0), "it belongs to beam search"),
    "prompt_logprobs": Unsupported((0,), "log-probabilities are not supported yet"),
    "allowed_token_ids": Unsupported(),
    "bad_words": Unsupported(([],)),
    "include_stop_str_in_output": Unsupported((False,)),
    "min_tokens": Unsupported((0,), "`ignore_eos` keeps the answer going up to max_tokens"),
    "skip_special_tokens": Unsupported((True,)),
    "spaces_between_special_tokens": Unsupported((True,)),
    "truncate_prompt_tokens": Unsupported(hint='use `truncation: "auto"`'),
    "echo": Unsupported((False,)),
    "suffix": Unsupported(("",), "this model cannot write between two texts"),
    "chat_template": Unsupported(hint="the template belongs to the bundle"),
    "mm_processor_kwargs": Unsupported(({},)),
    "return_token_ids": Unsupported((False,)),
    "return_tokens_as_token_ids": Unsupported((False,)),
    "priority": Unsupported((0,), "clients take turns, and each one's requests are served in the order of arrival"),
    "cache_salt": Unsupported(hint="the prefix cache is shared by all clients; leave this field out to agree"),
    "logits_processors": Unsupported(([],)),
    "modalities": Unsupported((["text"],), "answers are text; spoken output is not supported yet"),
    "web_search_options": Unsupported(),
    "verbosity": Unsupported(("medium",), "ask for it in the prompt"),
    "reasoning": Unsupported(hint="use `enable_thinking`"),
    "separate_reasoning": Unsupported((True,), "thoughts always have their own fields; see `return_reasoning`"),
    "repeat_penalty": Unsupported((1,), "use `repetition_penalty`"),
    "n_predict": Unsupported(hint="use `max_tokens`"),
    "max_length": Unsupported(hint="use `max_tokens`"),
    "typical_p": Unsupported((1,), _OTHER_SAMPLER),
    "top_a": Unsupported((0,), _OTHER_SAMPLER),
    "tfs_z": Unsupported((1,), _OTHER_SAMPLER),
    "mirostat": Unsupported((0,), _OTHER_SAMPLER),
    "dry_multiplier": Unsupported((0,), _OTHER_SAMPLER),
    "xtc_probability": Unsupported((0,), _OTHER_SAMPLER),
    "dynatemp_range": Unsupported((0,), _OTHER_SAMPLER),
    "samplers": Unsupported(hint=_OTHER_SAMPLER),
    "options": Unsupported(({},), "send the sampling fields at the top level"),
    "stream_options.continuous_usage_stats": Unsupported((False,)),
    "messages.function_call": Unsupported(hint=_TOOLS),
    "messages.audio": Unsupported(hint="an older spoken answer is not kept; send its text"),
}


class ExtraField(NamedTuple):
    """A field that no schema declares. place: as in the tables; path: with the indexes of this request."""

    place: str
    path: str
    value: Any


def extra_fields(model: BaseModel, place: str = "", path: str = "") -> Iterator[ExtraField]:
    """All of them, at every depth, as in `messages[0].content[1].uuid`."""
    for name, value in (model.model_extra or {}).items():
        yield ExtraField(f"{place}{name}", f"{path}{name}", value)
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from extra_fields(value, f"{place}{name}.", f"{path}{name}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from extra_fields(item, f"{place}{name}.", f"{path}{name}[{index}].")


def refuse_unsupported(extra: Iterable[ExtraField], unsupported: Mapping[str, Unsupported] = UNSUPPORTED) -> None:
    """Raises InvalidRequest for the first field that asks for something this server cannot do."""
    for place, path, value in extra:
        field = unsupported.get(place)
        if field is not None and value is not None and not any(_is_same(value, no_op) for no_op in field.no_op):
            hint = f": {field.hint}" if field.hint else ""
            raise InvalidRequest(f"`{path}` is not supported by this server{hint}", param=path)


def ignored_paths(extra: Iterable[ExtraField]) -> list[str]:
    """Those that no table knows: they are ignored, and the client is told."""
    return [field.path for field in extra if field.place not in WITHOUT_EFFECT and field.place not in UNSUPPORTED]


def _is_same(value: Any, no_op: Any) -> bool:
    """As in JSON: 1 and 1.0 are the same number, 1 and true are not."""
    if isinstance(value, bool) or isinstance(no_op, bool):
        return value is no_op
    if isinstance(value, list | dict) and len(value) != len(no_op if isinstance(no_op, list | dict) else ()):
        return False
    return bool(value == no_op)
