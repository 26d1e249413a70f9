"""Sampling parameters to a chain of llama.cpp's samplers; greedy without penalties is a numpy argmax."""

import secrets
from collections.abc import Sequence
from typing import Any

from autoglm_phone.backends.llama_cpp.binding import LlamaLibrary
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import SamplingParams

MAX_SEED = 2**32 - 1  # llama.cpp's own sentinel for "draw one", so it is never passed on


def is_plain_argmax(params: SamplingParams) -> bool:
    """True if no chain is needed: temperature 0 and nothing that changes the order of the logits."""
    return params.is_greedy and not _has_penalties(params)


def _has_penalties(params: SamplingParams) -> bool:
    return (params.frequency_penalty, params.presence_penalty, params.repetition_penalty) != (0.0, 0.0, 1.0)


class SamplerChain:
    """One request's chain, in the order that SamplingParams states. Close it once."""

    def __init__(
        self, library: LlamaLibrary, vocab_size: int, window: int, params: SamplingParams, prompt: Sequence[TokenId]
    ) -> None:
        lib = library.lib
        self._lib, self._ffi = lib, library.ffi
        self._only = library.ffi.new("llama_token_data *")
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        if params.repetition_penalty != 1.0:
            repeat = lib.llama_sampler_init_penalties(vocab_size, window, params.repetition_penalty, 0.0, 0.0)
            for token in prompt[-window:]:
                lib.llama_sampler_accept(repeat, token)
            lib.llama_sampler_chain_add(self._chain, repeat)
        if (params.frequency_penalty, params.presence_penalty) != (0.0, 0.0):
            # A sampler of its own: OpenAI counts generated tokens only, so this one never sees the prompt.
            lib.llama_sampler_chain_add(
                self._chain,
                lib.llama_sampler_init_penalties(
                    vocab_size, window, 1.0, params.frequency_penalty, params.presence_penalty
                ),
            )
        for link in self._filters(params):
            lib.llama_sampler_chain_add(self._chain, link)

    def _filters(self, params: SamplingParams) -> list[Any]:
        lib = self._lib
        if params.is_greedy:
            return [lib.llama_sampler_init_greedy()]
        links = []
        if params.top_k > 0:
            # Before the temperature: dividing keeps the order, and the rest then sees k entries, not 150,000.
            links.append(lib.llama_sampler_init_top_k(params.top_k))
        links.append(lib.llama_sampler_init_temp(params.temperature))
        if params.top_p < 1.0:
            links.append(lib.llama_sampler_init_top_p(params.top_p, 1))
        if params.min_p > 0.0:
            links.append(lib.llama_sampler_init_min_p(params.min_p, 1))
        seed = secrets.randbelow(MAX_SEED) if params.seed is None else params.seed % MAX_SEED
        return [*links, lib.llama_sampler_init_dist(seed)]

    def sample(self, context: Any, output_index: int) -> TokenId:
        """Draw after batch entry output_index and count the token for the penalties."""
        return TokenId(self._lib.llama_sampler_sample(self._chain, context, output_index))

    def take(self, token: TokenId) -> None:
        """Go on as if the token had been drawn where nothing else could be: counts it, and uses up the same chance."""
        self._only.id, self._only.logit = token, 0.0
        choices = self._ffi.new("llama_token_data_array *", {"data": self._only, "size": 1, "selected": -1})
        self._lib.llama_sampler_apply(self._chain, choices)
        self._lib.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        self._lib.llama_sampler_free(self._chain)
