"""One request's way from logits to its next token."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.backends.grammar.follower import GrammarFollower
from autoglm_phone.backends.llama_cpp.logprobs import token_logprobs
from autoglm_phone.backends.llama_cpp.sampler import SamplerChain
from autoglm_phone.backends.verify import Drawn
from autoglm_phone.core.ids import TokenId
from autoglm_phone.core.request import Request


class Outputs(Protocol):
    """The step that has been computed. `logits` is a view that the chain reads, so that edits count."""

    @property
    def context(self) -> Any: ...
    def logits(self, output_index: int) -> NDArray[np.float32]: ...


class TokenDraw:
    """Log-probabilities first, then logit_bias, the grammar, and the chain; without a chain the likeliest token.

    Belongs to a request and survives preemption. Close it once.
    """

    def __init__(
        self, request: Request, vocab_size: int, chain: SamplerChain | None, grammar: GrammarFollower | None
    ) -> None:
        self._chain = chain
        self._grammar = grammar
        self._num_top = request.top_logprobs
        bias = {token: value for token, value in request.sampling.logit_bias if 0 <= token < vocab_size}
        self._biased = np.fromiter(bias.keys(), dtype=np.intp)
        self._bias = np.fromiter(bias.values(), dtype=np.float32)
        self._is_plain = grammar is None and self._num_top is None and not bias

    @property
    def is_ready(self) -> bool:
        return self._grammar is None or self._grammar.is_ready

    def draw(self, outputs: Outputs, output_index: int, max_tokens: int) -> Drawn:
        """The token behind one batch entry and what is forced behind it; edits the logits. Raises GrammarFailed."""
        if self._is_plain:
            return Drawn((self._choose(outputs, output_index),))
        logits = outputs.logits(output_index)
        untouched = logits.copy() if self._num_top is not None else None
        logits[self._biased] += self._bias
        if self._grammar is not None and not self._grammar.limit(logits):
            return Drawn((), is_last=True)
        token = self._choose(outputs, output_index)
        logprobs = token_logprobs(untouched, token, self._num_top or 0) if untouched is not None else None
        if self._grammar is None:
            return Drawn((token,), logprobs)
        self._grammar.take(token)
        forced = self._grammar.take_forced(max_tokens - 1)
        if self._chain is not None:
            for other in forced:
                self._chain.take(other)
        return Drawn((token, *forced), logprobs, self._grammar.is_complete, len(forced))

    def _choose(self, outputs: Outputs, output_index: int) -> TokenId:
        if self._chain is not None:
            return self._chain.sample(outputs.context, output_index)
        return TokenId(int(outputs.logits(output_index).argmax()))

    def close(self) -> None:
        if self._chain is not None:
            self._chain.close()
        if self._grammar is not None:
            self._grammar.close()
