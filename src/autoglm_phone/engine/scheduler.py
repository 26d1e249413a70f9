"""Scheduler: plans each step and takes its result. No clock, thread or tensor inside.

A step holds one token of every decoding sequence and one chunk of prompts, shared among clients, each one's oldest
request first; tokens that a grammar has forced are computed beside the one drawn before them, out of the same chunk.
Who waits is admitted in turn (`turns.py`); one whose prefix is just being computed for another waits for it, and then
copies it. When the KV cache is full the newest sequence of the client with most of them is preempted: it goes back to
the queue and is computed again later, from whatever of its prefix is still cached.
"""

from dataclasses import dataclass

from autoglm_phone.core.backend import Backend, StepItem, StepPlan, StepResult
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.request import FinishReason, Request, TokenEvent
from autoglm_phone.engine.chunk_policy import ChunkPolicy
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.kv.slot_kv import SlotKV
from autoglm_phone.engine.prefill_shares import Claim, share_prefill
from autoglm_phone.engine.sequence import Sequence
from autoglm_phone.engine.step_costs import StepCosts
from autoglm_phone.engine.turns import Turns, newest_of_the_greediest, seats_of

ADMISSION_RESERVE = 32  # tokens of answer that must fit too, so that an admitted prompt is not preempted at once
MIN_SHARED = 16  # prompt tokens that must be saved for a request to wait for another's prefix; templates share a few


@dataclass(frozen=True)
class PlannedStep:
    """The plan and who takes part in it with how many positions, in order.

    depth: how much of a prompt had been computed before this chunk of it, in the mean over prompts
    """

    plan: StepPlan
    parts: tuple[tuple[Sequence, int], ...]
    num_prefill: int
    num_decoding: int
    num_drafts: int
    depth: float


class Scheduler:
    """Owns the sequences; the backend is only asked to move KV and to make samplers, never to compute."""

    def __init__(self, config: EngineConfig, backend: Backend, chunk_policy: ChunkPolicy, costs: StepCosts) -> None:
        self._config = config
        self._backend = backend
        self._chunk_policy = chunk_policy
        self._costs = costs
        self.kv = SlotKV(
            backend,
            num_slots=config.max_slots,
            num_cells=config.kv_tokens,
            idle_tokens=config.idle_kv_tokens,
            spill_bytes=config.spill_bytes,
        )
        self._turns = Turns()
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []  # oldest first
        self._prefix_claims: list[Claim] = []  # shares of those that wait for the prefix of a running sequence
        self._num_arrived = 0
        self.num_preemptions = 0
        self.num_forced = 0
        self.num_drafted = 0
        self.num_accepted = 0

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def has_work(self) -> bool:
        return bool(self._running or self._waiting)

    def add(self, request: Request) -> None:
        """Queue a request. Its prompt is not empty, and prompt and answer fit the window: the door has checked."""
        assert len(request.prompt) > 0
        assert len(request.prompt) + request.max_tokens <= self._config.max_model_len
        self._backend.start_sampling(request)
        self._num_arrived += 1
        speculates = self._config.speculation and request.top_logprobs is None  # there is one logprob a step
        self._waiting.append(Sequence(request, arrival=self._num_arrived, speculates=speculates))
        self._turns.come(request.client)

    def abort(self, request_id: RequestId) -> None:
        """Forget a request; what it computed stays as a cached prefix. Unknown ids are ignored."""
        for sequence in [s for s in (*self._running, *self._waiting) if s.request.id == request_id]:
            self._end(sequence)

    def plan(self) -> PlannedStep:
        """Choose what the next step computes; empty while all that is left waits for its grammar."""
        self._admit()
        reading = [sequence.num_computed for sequence in self._running if not sequence.is_decoding]
        depth = sum(reading) / len(reading) if reading else 0.0
        budget = self._chunk_policy.size(len(self._running) - len(reading), depth)
        parts = self._decode_parts(budget)
        parts += self._prefill_parts(budget - sum(count - 1 for _, count in parts))
        # Somebody's room may have been taken from a sequence that had already been given a part.
        parts = [(sequence, count) for sequence, count in parts if sequence.slot is not None]
        num_drafts = self._draft(parts)
        num_decoding = sum(sequence.is_decoding for sequence, _ in parts)
        items: list[StepItem] = [item for sequence, count in parts for item in sequence.items(count)]
        num_prefill = sum(count for _, count in parts) - num_decoding
        return PlannedStep(StepPlan(tuple(items)), tuple(parts), num_prefill, num_decoding, num_drafts, depth)

    def commit(self, planned: PlannedStep, result: StepResult) -> list[tuple[RequestId, TokenEvent]]:
        """Take the drawn tokens: events for those that got one or ended. These leave their prefix cached."""
        events = []
        self.num_forced += result.num_forced
        for sequence, count in planned.parts:
            sequence.num_computed += count
            self._settle(sequence, result)
            event = _event(sequence, result)
            if event is not None:
                events.append((sequence.request.id, event))
                if event.finish is not None:
                    self._end(sequence)
        return events

    def check_invariants(self) -> None:
        self.kv.check_invariants()
        assert all(sequence.slot is not None for sequence in self._running)
        assert all(sequence.slot is None for sequence in self._waiting)

    def _admit(self) -> None:
        self._prefix_claims = []
        waiting_for_prefix: list[Sequence] = []  # a seat is kept for each
        while (sequence := self._next_waiting(waiting_for_prefix)) is not None:
            source = self._computing_its_prefix(sequence)
            if source is not None:
                waiting_for_prefix.append(sequence)
                self._prefix_claims.append((sequence.request.client, source))
                continue
            reserve = min(ADMISSION_RESERVE, sequence.request.max_tokens - sequence.num_generated)
            if self._running and not self.kv.can_hold(self._still_to_come() + len(sequence) + reserve):
                return
            self._waiting.remove(sequence)
            self._turns.serve(sequence.request.client)
            sequence.slot, sequence.num_computed = self.kv.attach(sequence.request.id, sequence.content)
            if sequence.num_generated == 0:
                sequence.cached_tokens = sequence.num_computed
            self._running.append(sequence)

    def _next_waiting(self, waiting_for_prefix: list[Sequence]) -> Sequence | None:
        """The next in turn for whom there is a seat; one whose grammar is still being compiled lets others pass."""
        seated = [*self._running, *waiting_for_prefix]
        if not self._waiting or len(seated) >= self._config.max_seats:
            return None
        waiting = [sequence for sequence in self._waiting if sequence not in waiting_for_prefix]
        if len(seated) >= self._config.max_running:
            seats = seats_of(seated)
            waiting = [sequence for sequence in waiting if not seats[sequence.request.client]]
        ordered = self._turns.order(waiting, seated)
        return next((sequence for sequence in ordered if self._backend.is_ready(sequence.request.id)), None)

    def _computing_its_prefix(self, sequence: Sequence) -> Sequence | None:
        """A running sequence that is about to compute so much of this one's prompt that it is worth waiting for.

        Who waits gives it his share of the prompt tokens of a step, so he would not be quicker without it.
        """
        content = sequence.content
        for other in self._running:
            if other.slot is None or other.is_decoding:
                continue
            common = content.common_prefix(other.content)
            if other.num_computed < common and common - self.kv.longest_hit(content, other.slot) >= MIN_SHARED:
                return other
        return None

    def _still_to_come(self) -> int:
        """Prompt tokens of admitted sequences that have no cells yet."""
        return sum(sequence.num_uncomputed for sequence in self._running)

    def _decode_parts(self, budget: int) -> list[tuple[Sequence, int]]:
        """One token each, and of those that were forced as many more as the chunk has room for."""
        parts = []
        for sequence in [s for s in self._running if s.is_decoding]:
            count = min(sequence.num_uncomputed, 1 + budget)
            if self._make_room(sequence, count):
                parts.append((sequence, count))
                budget -= count - 1
        return parts

    def _prefill_parts(self, budget: int) -> list[tuple[Sequence, int]]:
        claims = [(s.request.client, s) for s in self._running if not s.is_decoding]
        claims += [(client, source) for client, source in self._prefix_claims if source.slot is not None]
        shares = share_prefill(budget, claims)
        return [(sequence, count) for sequence, count in shares.items() if self._make_room(sequence, count)]

    def _draft(self, parts: list[tuple[Sequence, int]]) -> int:
        """Let the only stream compute guesses, where nobody else would wait for them or lose a cell; tells how many."""
        if len(parts) != 1 or len(self._running) != 1:
            return 0
        [(sequence, count)] = parts
        if not sequence.speculates or not sequence.is_decoding or count != sequence.num_uncomputed:
            return 0
        most = min(self._config.max_draft, self._config.max_step_tokens - count, self.kv.num_free)
        if num_drafts := sequence.propose(most, self._costs):
            assert sequence.slot is not None
            has_room = self.kv.extend(sequence.slot, sequence.content, num_drafts)
            assert has_room, "there were as many free cells"
        return num_drafts

    def _settle(self, sequence: Sequence, result: StepResult) -> None:
        """Keep the guesses that came true, and free the cells of the others."""
        if num_drafts := sequence.num_drafts:
            num_accepted = sequence.settle(result.sampled.get(sequence.request.id, ()))
            sequence.num_computed += num_accepted
            assert sequence.slot is not None
            self.kv.rewind(sequence.slot, sequence.num_computed)
            self.num_drafted += num_drafts
            self.num_accepted += num_accepted

    def _make_room(self, sequence: Sequence, count: int) -> bool:
        """Take cells for the next positions, preempting others; False if this one had to go itself."""
        while sequence.slot is not None:
            if self.kv.extend(sequence.slot, sequence.content, count):
                return True
            self._preempt(newest_of_the_greediest(self._running))
        return False

    def _preempt(self, sequence: Sequence) -> None:
        assert len(self._running) > 1, "one sequence always fits: the window is no larger than the cache"
        assert sequence.slot is not None
        self.kv.rewind(sequence.slot, sequence.num_computed)  # it may have been given a part of this very step
        self.kv.detach(sequence.slot)
        sequence.slot, sequence.num_computed = None, 0
        self._running.remove(sequence)
        self._waiting.append(sequence)
        self.num_preemptions += 1

    def _end(self, sequence: Sequence) -> None:
        if sequence.slot is not None:
            self.kv.detach(sequence.slot)
            self._running.remove(sequence)
        else:
            self._waiting.remove(sequence)
        self._turns.leave(sequence.request.client)
        self._backend.stop_sampling(sequence.request.id)


def _event(sequence: Sequence, result: StepResult) -> TokenEvent | None:
    """What the step means for a sequence; None if nothing was drawn for it."""
    request_id = sequence.request.id
    if request_id in result.failed:
        return TokenEvent((), "stop", sequence.cached_tokens, error=result.failed[request_id])
    has_ended = request_id in result.ended
    tokens = result.sampled.get(request_id, ())
    if not tokens:
        return TokenEvent((), "stop", sequence.cached_tokens) if has_ended else None
    before = sequence.num_generated
    finish: FinishReason | None = None
    for token in tokens:
        assert finish is None, "nothing is given behind the end"
        finish = sequence.append(token)
    if has_ended:
        finish = "stop"  # also where it just fits max_tokens
    counted = tokens[: sequence.num_generated - before]
    told = result.logprobs.get(request_id) if counted else None
    return TokenEvent(counted, finish, sequence.cached_tokens, logprobs=() if told is None else (told,))
