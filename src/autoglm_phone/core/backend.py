"""What computes a step: the boundary between policy (engine) and machinery (backends)."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.request import Request, TokenLogprobs


@dataclass(frozen=True, eq=False)
class StepItem:
    """A run of consecutive positions of one slot.

    start        position of the first token; the slot holds exactly `start` tokens before the step
    tokens       what stands there; not read where embeddings are given
    embeddings   (len(tokens), C) float32, or None for tokens
    sample_for   the request that wants a token drawn after the last position, or None
    """

    slot: SlotId
    start: int
    tokens: tuple[TokenId, ...]
    embeddings: NDArray[np.float32] | None = None
    sample_for: RequestId | None = None


@dataclass(frozen=True)
class StepPlan:
    """Items of one step. Two items may belong to one slot if the second continues the first."""

    items: tuple[StepItem, ...]

    @property
    def num_tokens(self) -> int:
        return sum(len(item.tokens) for item in self.items)


@dataclass(frozen=True)
class StepResult:
    """One drawn token for each item that asked for one, with its log-probabilities if the request wants them.

    failed: requests for which none could be drawn, with the reason; the others are not touched by it.
    ended: requests whose grammar is complete, with the token drawn for them if there is one.
    """

    sampled: dict[RequestId, TokenId]
    logprobs: dict[RequestId, TokenLogprobs] = field(default_factory=dict)
    failed: dict[RequestId, str] = field(default_factory=dict)
    ended: frozenset[RequestId] = frozenset()


class Backend(Protocol):
    """Computes steps over its own KV cache; knows slots and positions, not requests' lives.

    Not thread-safe: one owner calls it. Every method may raise StepFailed.
    """

    def step(self, plan: StepPlan) -> StepResult: ...

    def copy_prefix(self, source: SlotId, target: SlotId, num_tokens: int) -> None:
        """Make the first num_tokens of source also the content of the empty target; shares cells."""

    def trim(self, slot: SlotId, num_tokens: int) -> None:
        """Keep the first num_tokens of the slot and free the rest; 0 empties it."""

    def save(self, slot: SlotId) -> bytes | bytearray:
        """The slot's whole KV state, to be given to `restore`; the slot keeps it."""

    def restore(self, slot: SlotId, state: bytes | bytearray) -> None:
        """Put a saved state into the empty slot."""

    def start_sampling(self, request: Request) -> None:
        """Make the sampler of a request, its grammar included; it survives preemption. Must not take long."""

    def is_ready(self, request: RequestId) -> bool:
        """False while the request's grammar is being compiled; a step that draws for it would wait."""

    def stop_sampling(self, request: RequestId) -> None:
        """Free the sampler; unknown ids are ignored."""

    def close(self) -> None: ...
