"""A request as the engine sees it, and what comes back: tokens, never text."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal, Protocol

from autoglm_phone.core.ids import RequestId, TokenId
from autoglm_phone.core.prompt import Prompt

FinishReason = Literal["stop", "length"]
EngineState = Literal["loading", "ready", "failed"]


@dataclass(frozen=True)
class SamplingParams:
    """How the next token is drawn.

    Order: logit_bias, penalties, top_k, temperature, top_p, min_p, draw. temperature 0 takes the likeliest token.
    top_k 0, top_p 1 and min_p 0 switch these filters off. seed None draws a fresh one.
    frequency and presence penalties count what was generated; the repetition penalty also counts the prompt.
    logit_bias is added to the logits of its tokens before everything else.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    logit_bias: tuple[tuple[TokenId, float], ...] = ()

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0.0


@dataclass(frozen=True)
class Client:
    """Among whom the engine is shared: places first, and what a place gets among the names there.

    Both are opaque, and only compared. Nobody has to be who he says he is: many names at one place gain nothing there.
    """

    place: str = ""
    name: str = ""


ANYONE = Client()
"""Who asks for something where nobody shares."""


@dataclass(frozen=True)
class Request:
    """len(prompt) + max_tokens never exceeds the engine's window.

    stop_tokens end the answer and are not part of it; an empty set is `ignore_eos`.
    grammar: what the answer must follow, in llguidance's form (`text/grammar.py` makes it); empty for anything.
    top_logprobs: how many of the likeliest tokens are told at each position besides the drawn one; None for nothing.
    """

    id: RequestId
    prompt: Prompt
    sampling: SamplingParams
    max_tokens: int
    stop_tokens: frozenset[TokenId] = frozenset()
    grammar: str = ""
    top_logprobs: int | None = None
    client: Client = Client()


@dataclass(frozen=True)
class TokenLogprobs:
    """Natural logarithms of the model's own probabilities, before bias, grammar, penalties and filters.

    top: the likeliest tokens in falling order; the drawn one need not be among them.
    """

    logprob: float
    top: tuple[tuple[TokenId, float], ...] = ()


@dataclass(frozen=True)
class TokenEvent:
    """Tokens of one request. The last event carries `finish`; nothing follows it.

    cached_tokens  prompt tokens that were not computed again
    queue_s        seconds between arrival at the engine and the first step that touched the request
    logprobs       one entry a token, if they were asked for
    error          why the request cannot go on, in words for its caller; then it is the last event
    """

    tokens: tuple[TokenId, ...]
    finish: FinishReason | None = None
    cached_tokens: int = 0
    queue_s: float = 0.0
    logprobs: tuple[TokenLogprobs, ...] = ()
    error: str = ""

    def one_by_one(self) -> "Iterator[TokenEvent]":
        """The same as events of at most one token each."""
        for token, logprobs in zip_longest(self.tokens[:-1], self.logprobs[:-1]):
            yield replace(self, tokens=(token,), finish=None, logprobs=() if logprobs is None else (logprobs,))
        yield replace(self, tokens=self.tokens[-1:], logprobs=self.logprobs[-1:])


@dataclass(frozen=True)
class EngineStatus:
    """What /health and /metrics tell about the engine.

    state "failed" means that it could not be loaded; `error` says why and it is tried again.
    Counts of this life of the engine: tokens that a grammar left no choice about, guesses that were computed, and
    those of them that came true.
    """

    state: EngineState
    pid: int | None = None
    error: str = ""
    running: int = 0
    waiting: int = 0
    kv_tokens_used: int = 0
    kv_tokens_cached: int = 0
    kv_tokens_total: int = 0
    restarts: int = 0
    tokens_forced: int = 0
    tokens_drafted: int = 0
    tokens_accepted: int = 0


class EngineDoor(Protocol):
    """The one door to the engine, whatever stands behind it: a thread or a process.

    generate raises Overloaded or NotReady before the first event, WorkerDied or StepFailed at any time, and
    InvalidRequest where a grammar proves too complex.
    Closing the generator aborts the request; its slot is free within one step.
    """

    def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]: ...

    def status(self) -> EngineStatus: ...
