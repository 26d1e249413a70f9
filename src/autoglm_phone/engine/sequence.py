"""Sequence: one running request, from the inbox to its last token."""

from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile

import numpy as np
from numpy.typing import NDArray

from autoglm_phone.core.backend import StepItem
from autoglm_phone.core.ids import SlotId, TokenId
from autoglm_phone.core.request import FinishReason, Request
from autoglm_phone.engine.drafter import Drafter
from autoglm_phone.engine.kv.content import UNDER_EMBEDDING, Content, MediaKey
from autoglm_phone.engine.step_costs import StepCosts

MAX_JUMP = 64  # tokens; each costs a mask of 0.1 ms while everybody waits


@dataclass(eq=False)
class Sequence:
    """tokens of the prompt and the answer so far, and how many of them the slot holds.

    num_computed positions lie in the KV cache. The sequence prefills its prompt; where only tokens of the answer are
    left over it decodes, mostly one at a time, and several where a grammar forced them.
    speculates: tokens may come without a step of their own; the answer is the same.
    arrival: its number among all requests.
    """

    request: Request
    slot: SlotId | None = None
    num_computed: int = 0
    num_generated: int = 0
    cached_tokens: int = 0
    arrival: int = 0
    speculates: bool = False
    num_drafts: int = 0  # guesses that stand behind the answer while a step is computed
    drafter: Drafter = field(init=False)
    _keys: NDArray[np.int32] = field(init=False)
    _media: tuple[MediaKey, ...] = field(init=False)

    def __post_init__(self) -> None:
        prompt = self.request.prompt
        self.drafter = Drafter(len(prompt))
        self._keys = np.empty(len(prompt) + self.request.max_tokens, dtype=np.int32)
        self._keys[: len(prompt)] = prompt.tokens
        for span in prompt.embeds:
            self._keys[span.start : span.start + len(span.embeddings)] = UNDER_EMBEDDING
        self._media = tuple(map(MediaKey.of, prompt.embeds))

    def __len__(self) -> int:
        return len(self.request.prompt) + self.num_generated

    @property
    def num_uncomputed(self) -> int:
        return len(self) - self.num_computed

    @property
    def is_decoding(self) -> bool:
        return self.slot is not None and self.num_generated > 0 and self.num_computed >= len(self.request.prompt)

    @property
    def content(self) -> Content:
        """Of the text as it is, and of what is guessed behind it."""
        return Content(self._keys[: len(self) + self.num_drafts], self._media)

    def items(self, count: int) -> list[StepItem]:
        """The next `count` positions as step items, split where tokens and embeddings meet."""
        assert self.slot is not None
        start, end = self.num_computed, self.num_computed + count
        edges = {start, end} | {edge for key in self._media for edge in (key.start, key.end)}
        cuts = sorted(edge for edge in edges if start <= edge <= end)
        return [self._item(self.slot, low, high) for low, high in pairwise(cuts)]

    def _item(self, slot: SlotId, low: int, high: int) -> StepItem:
        num_drafts = self.num_drafts if high == len(self) else 0
        tokens = tuple(TokenId(int(key)) for key in self._keys[low : high + num_drafts])
        lag = sum(key.lag for key in self._media if key.end <= low)
        item = StepItem(slot, low, tokens, lag=lag)
        for span in self.request.prompt.embeds:
            first, end = low - span.start, high - span.start
            if 0 <= first < len(span.embeddings):
                positions = span.grid.positions(span.start - lag, first, end) if span.grid is not None else None
                item = replace(item, embeddings=span.embeddings[first:end], positions=positions)
        if high < len(self):
            return item
        most = min(MAX_JUMP, self.request.max_tokens - self.num_generated) if self.speculates else 1
        return replace(item, sample_for=self.request.id, max_sampled=most, num_drafts=num_drafts)

    def propose(self, most: int, costs: StepCosts) -> int:
        """Put guesses behind the text, at most that many; tells how many there are. A stop token is never guessed."""
        assert not self.num_drafts
        most = min(most, self.request.max_tokens - self.num_generated - 1)
        guessed = self.drafter.propose(self.content.keys, most, costs, self.num_uncomputed)
        draft = list(takewhile(lambda key: key not in self.request.stop_tokens, guessed))
        self._keys[len(self) : len(self) + len(draft)] = draft
        self.num_drafts = len(draft)
        return self.num_drafts

    def settle(self, tokens: tuple[TokenId, ...]) -> int:
        """Tells how many guesses the step's tokens have confirmed, and forgets all of them."""
        drafts = self._keys[len(self) : len(self) + self.num_drafts]
        self.num_drafts = 0
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(drafts.tolist(), tokens, strict=False)))

    def append(self, token: TokenId) -> FinishReason | None:
        """Take a drawn token; tells whether the answer ends with it. A stop token ends it and is not counted."""
        if token in self.request.stop_tokens:
            return "stop"
        self._keys[len(self)] = token
        self.num_generated += 1
        return "length" if self.num_generated == self.request.max_tokens else None
