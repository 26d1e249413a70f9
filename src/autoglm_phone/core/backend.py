"""What computes a step: the boundary between policy (engine) and machinery (backends)."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.request import Request, TokenLogprobs


@dataclass(frozen=True, eq=False)
class StepItem:
    """A run of consecutive cells of one slot.

    start        the slot holds exactly so many cells before the step
    tokens       what stands there; not read where embeddings are given
    embeddings   (len(tokens), C) float32, or None for tokens
    sample_for   the request that wants a token drawn after the last position that is no guess, or None
    max_sampled  most tokens to give for it: the drawn one, those that its grammar forces behind it, and what is drawn
                 behind guesses that came true
    num_drafts   how many of the last tokens are guesses; whether they were right or not, the slot holds them then
    lag          how far positions lie behind cells here, because pictures before have more tokens than positions
    positions    (len(tokens), 3) int32: time, row and column of a picture's embeddings; None: one after the other from
                 `position` on
    """

    slot: SlotId
    start: int
    tokens: tuple[TokenId, ...]
    embeddings: NDArray[np.float32] | None = None
    sample_for: RequestId | None = None
    max_sampled: int = 1
    num_drafts: int = 0
    lag: int = 0
    positions: NDArray[np.int32] | None = None

    @property
    def position(self) -> int:
        return self.start - self.lag

    @property
    def drafts(self) -> tuple[TokenId, ...]:
        return self.tokens[len(self.tokens) - self.num_drafts :]


@dataclass(frozen=True)
class StepPlan:
    """Items of one step. Two items may belong to one slot if the second continues the first."""

    items: tuple[StepItem, ...]

    @property
    def num_tokens(self) -> int:
        return sum(len(item.tokens) for item in self.items)


@dataclass(frozen=True)
class StepResult:
    """The tokens of each item that asked for some, with the first one's log-probabilities if the request wants them.

    sampled: never empty; the first token is drawn, those behind it are what would have been drawn one by one.
    failed: requests for which none could be drawn, with the reason; the others are not touched by it.
    ended: requests whose grammar is complete, with the last token given for them if there is one.
    num_forced: tokens of `sampled` that a grammar left no choice about, so that no step was needed for them.
    """

    sampled: dict[RequestId, tuple[TokenId, ...]]
    logprobs: dict[RequestId, TokenLogprobs] = field(default_factory=dict)
    failed: dict[RequestId, str] = field(default_factory=dict)
    ended: frozenset[RequestId] = frozenset()
    num_forced: int = 0


class Backend(Protocol):
    """Computes steps over its own KV cache; knows slots and positions, not requests' lives.

    A slot is cut before or behind a picture, never in it, so a position says where.

    Not thread-safe: one owner calls it. Every method may raise StepFailed.
    """

    def step(self, plan: StepPlan) -> StepResult: ...

    def copy_prefix(self, source: SlotId, target: SlotId, end: int) -> None:
        """Make what source holds before position `end` also the content of the empty target; shares cells."""

    def trim(self, slot: SlotId, end: int) -> None:
        """Keep what the slot holds before position `end` and free the rest; 0 empties it."""

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
