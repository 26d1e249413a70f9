"""Sampling fields of a request to SamplingParams; what is left out comes from the bundle."""

import re

from autoglm_phone.core.errors import InvalidRequest
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import SamplingParams
from autoglm_phone.server.schemas.generation import GenerationRequest

_TOKEN = re.compile(r"[0-9]{1,9}")


def to_sampling(wire: GenerationRequest, default: SamplingParams) -> SamplingParams:
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
        logit_bias=tuple((_token(name), bias) for name, bias in (wire.logit_bias or {}).items()),
    )


def to_stop(stop: str | list[str] | None) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _token(name: str) -> TokenId:
    if not _TOKEN.fullmatch(name):
        raise InvalidRequest(
            f"`logit_bias`: {name[:40]!r} is not the number of a token; `POST /tokenize` gives them", param="logit_bias"
        )
    return TokenId(int(name))
