"""FakeBackend: a deterministic backend without a model, for tests and docs.

Its answer depends on everything that it was fed, so a wrong cache or a mixed-up slot changes the text. It checks what
it is told: a step must continue its slot in cells and in positions, and cells are counted, shared ones once.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import log

import numpy as np

from autoglm_phone.backends.fake.byte_vocabulary import VOCAB_SIZE, byte_tokenizer, nearest_allowed
from autoglm_phone.backends.grammar.compiler import GrammarCompiler
from autoglm_phone.backends.grammar.follower import GrammarFollower
from autoglm_phone.backends.grammar.matcher import GrammarFailed
from autoglm_phone.backends.verify import Drawn, draw_along
from autoglm_phone.core.backend import StepItem, StepPlan, StepResult
from autoglm_phone.core.errors import StepFailed
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.request import Request, SamplingParams, TokenLogprobs

Values = Sequence[str]
"""What stands in each cell of a slot: the token's number, or the hash of an embedding and of its place in a picture."""

Choose = Callable[[Values, SamplingParams], TokenId]

SURE_BIAS = 100  # at this logit_bias a token is always drawn, at its negative never


def choose_by_hash(vocab_size: int) -> Choose:
    """A chooser whose every draw depends on all positions and, unless greedy, on the seed."""

    def choose(values: Values, params: SamplingParams) -> TokenId:
        salt = "greedy" if params.is_greedy else str(params.seed)
        digest = hashlib.sha256(" ".join([salt, *values]).encode()).digest()
        return TokenId(int.from_bytes(digest[:4], "big") % vocab_size)

    return choose


@dataclass(frozen=True, eq=False)
class _Cell:
    """One cell; slots that share a prefix hold the same objects.

    time: its position. end: one more than the largest coordinate so far, where text goes on.
    """

    value: str
    time: int
    end: int


@dataclass(frozen=True, eq=False)
class _Sampler:
    request: Request
    grammar: GrammarFollower | None


class FakeBackend:
    """Implements core.backend.Backend over lists."""

    def __init__(self, choose: Choose, *, num_slots: int, kv_tokens: int) -> None:
        self._choose = choose
        self._kv_tokens = kv_tokens
        self._slots: list[list[_Cell]] = [[] for _ in range(num_slots)]
        self._samplers: dict[RequestId, _Sampler] = {}
        # Grammars of tests are known; the trial of others is tested beside it.
        self._grammars = GrammarCompiler(byte_tokenizer, VOCAB_SIZE, fault=lambda _: "")
        self.num_computed = 0

    def step(self, plan: StepPlan) -> StepResult:
        sampled, logprobs, failed, ended, num_forced = {}, {}, {}, set(), 0
        for item in plan.items:
            self._fill(item)
            if (request_id := item.sample_for) is None:
                continue
            sampler = self._samplers[request_id]
            try:
                drawn = draw_along(item.drafts, item.max_sampled, partial(self._draw, item, sampler))
            except GrammarFailed as error:
                failed[request_id] = str(error)
                continue
            if drawn.is_last:
                ended.add(request_id)
            if drawn.tokens:
                sampled[request_id] = drawn.tokens
                num_forced += drawn.num_forced
                if sampler.request.top_logprobs is not None:
                    logprobs[request_id] = made_up_logprobs(drawn.tokens[0], sampler.request.top_logprobs)
        return StepResult(sampled, logprobs, failed, frozenset(ended), num_forced)

    def _draw(self, item: StepItem, sampler: _Sampler, num_drafts: int, most: int) -> Drawn:
        """What comes behind that many of the item's guesses."""
        params = sampler.request.sampling
        slot = self._slots[item.slot]
        read = slot[: len(slot) - item.num_drafts + num_drafts]
        token = _biased(self._choose([cell.value for cell in read], params), params)
        if sampler.grammar is None:
            return Drawn((token,))
        logits = np.zeros(VOCAB_SIZE, dtype=np.float32)
        if not sampler.grammar.limit(logits):
            return Drawn((), is_last=True)
        token = nearest_allowed(token, np.flatnonzero(logits == 0), tuple(sampler.request.stop_tokens))
        sampler.grammar.take(token)
        forced = sampler.grammar.take_forced(most - 1)
        return Drawn((token, *forced), None, sampler.grammar.is_complete, len(forced))

    def _fill(self, item: StepItem) -> None:
        slot = self._slots[item.slot]
        if len(slot) != item.start:
            raise StepFailed(f"slot {item.slot} holds {len(slot)} cells, the step starts at {item.start}")
        self.num_computed += len(item.tokens)
        for offset in range(len(item.tokens)):
            slot.append(_cell_behind(slot[-1] if slot else _Cell("", -1, 0), item, offset))
        if self.num_used_cells > self._kv_tokens:
            raise StepFailed(f"{self.num_used_cells} cells are needed, there are {self._kv_tokens}")

    @property
    def num_used_cells(self) -> int:
        return len({id(cell) for slot in self._slots for cell in slot})

    def copy_prefix(self, source: SlotId, target: SlotId, end: int) -> None:
        if self._slots[target] or not self._slots[source] or end > self._slots[source][-1].end:
            raise StepFailed(f"cannot copy from slot {source} to slot {target} up to position {end}")
        self._slots[target] = _before(self._slots[source], end)

    def trim(self, slot: SlotId, end: int) -> None:
        self._slots[slot] = _before(self._slots[slot], end)

    def save(self, slot: SlotId) -> bytes:
        """A number for a token that stands where its index says, else value, position and where text goes on."""
        cells = self._slots[slot]
        is_plain = all(cell.time == index and cell.end == index + 1 for index, cell in enumerate(cells))
        state = [cell.value if is_plain else (cell.value, cell.time, cell.end) for cell in cells]
        return json.dumps(state).encode()

    def restore(self, slot: SlotId, state: bytes | bytearray) -> None:
        if self._slots[slot]:
            raise StepFailed(f"slot {slot} is not empty")
        saved = json.loads(state)
        cells = [(cell, at, at + 1) if isinstance(cell, str) else cell for at, cell in enumerate(saved)]
        self._slots[slot] = [_Cell(*cell) for cell in cells]

    def start_sampling(self, request: Request) -> None:
        grammar = self._grammars.follow(request.grammar, request.stop_tokens) if request.grammar else None
        self._samplers[request.id] = _Sampler(request, grammar)

    def is_ready(self, request: RequestId) -> bool:
        grammar = self._samplers[request].grammar
        return grammar is None or grammar.is_ready

    def stop_sampling(self, request: RequestId) -> None:
        sampler = self._samplers.pop(request, None)
        if sampler is not None and sampler.grammar is not None:
            sampler.grammar.close()

    @property
    def num_samplers(self) -> int:
        return len(self._samplers)

    def close(self) -> None:
        self._grammars.close()
        self._slots.clear()


def _cell_behind(last: _Cell, item: StepItem, offset: int) -> _Cell:
    """What an item puts behind the last cell; text and pictures begin where the text before them goes on."""
    place = [item.position + offset] * 3 if item.positions is None else item.positions[offset].tolist()
    is_in_picture = item.positions is not None and place[0] == last.time
    if not is_in_picture and place != [last.end] * 3:
        raise StepFailed(f"a step is at position {place}, slot {item.slot} goes on at {last.end}")
    value = str(item.tokens[offset])
    if item.embeddings is not None:
        value = hashlib.sha256(f"{place}".encode() + item.embeddings[offset].tobytes()).hexdigest()
    return _Cell(value, place[0], max(last.end, 1 + max(place)))


def _before(cells: list[_Cell], end: int) -> list[_Cell]:
    """Those before position `end`, which lies before or behind a picture, never in it."""
    kept = [cell for cell in cells if cell.time < end]
    if kept and kept[-1].end > end:
        raise StepFailed(f"position {end} is inside a picture")
    return kept


def made_up_logprobs(token: TokenId, num_top: int) -> TokenLogprobs:
    """The drawn token with probability 1/2, then the smallest others with a half of the one before."""
    others = [TokenId(other) for other in range(num_top + 1) if other != token]
    ranked = [token, *others][:num_top]
    return TokenLogprobs(log(0.5), tuple((other, (rank + 1) * log(0.5)) for rank, other in enumerate(ranked)))


def _biased(token: TokenId, params: SamplingParams) -> TokenId:
    bias = dict(params.logit_bias)
    sure = [forced for forced, value in bias.items() if value >= SURE_BIAS]
    choices = [*sure, token, *map(TokenId, range(len(bias) + 1))]
    return next(choice for choice in choices if bias.get(choice, 0) > -SURE_BIAS)
