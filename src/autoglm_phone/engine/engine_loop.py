"""EngineLoop: the one owner of scheduler and backend; requests in, token events out, one step at a time.

Not thread-safe: one thread calls it, in the engine process (`worker.py`) or in a library user's (`local_engine.py`).
"""

import time
from dataclasses import replace

from autoglm_phone.core.backend import Backend
from autoglm_phone.core.ids import RequestId
from autoglm_phone.core.request import Request, TokenEvent
from autoglm_phone.engine.chunk_policy import ChunkPolicy
from autoglm_phone.engine.config import EngineConfig
from autoglm_phone.engine.messages import EngineLoad
from autoglm_phone.engine.scheduler import PlannedStep, Scheduler
from autoglm_phone.engine.step_costs import StepCosts

GRAMMAR_POLL_S = 0.002  # how long to do nothing while a grammar is compiled and nobody else is there


class EngineLoop:
    """is_held_up: the last step had nothing to compute, since every request waits for its grammar."""

    def __init__(self, config: EngineConfig, backend: Backend) -> None:
        self._config = config
        self._backend = backend
        self._chunk_policy = ChunkPolicy(config)
        self._costs = StepCosts()
        self._scheduler = Scheduler(config, backend, self._chunk_policy, self._costs)
        self._arrived_s: dict[RequestId, float] = {}
        self._queued_s: dict[RequestId, float] = {}
        self.is_held_up = False

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    def submit(self, request: Request) -> None:
        self._arrived_s[request.id] = time.monotonic()
        self._scheduler.add(request)

    def abort(self, request_id: RequestId) -> None:
        self._scheduler.abort(request_id)
        self._forget(request_id)

    def step(self) -> list[tuple[RequestId, TokenEvent]]:
        """Compute one step. Raises StepFailed; the state is lost then, and so are all open requests."""
        start_s = time.monotonic()
        planned = self._scheduler.plan()
        self.is_held_up = not planned.plan.items
        if self.is_held_up:
            return []
        self._note_first_steps(planned, start_s)
        result = self._backend.step(planned.plan)
        seconds = time.monotonic() - start_s
        self._chunk_policy.observe(planned.num_prefill, planned.num_decoding, planned.depth, seconds)
        if (planned.num_prefill, planned.num_decoding) == (0, 1):
            self._costs.observe(1 + planned.num_drafts, seconds)
        return [self._timed(*pair) for pair in self._scheduler.commit(planned, result)]

    def load(self) -> EngineLoad:
        scheduler = self._scheduler
        return EngineLoad(
            running=scheduler.num_running,
            waiting=scheduler.num_waiting,
            kv_tokens_used=scheduler.kv.num_used,
            kv_tokens_cached=scheduler.kv.num_idle,
            kv_tokens_total=self._config.kv_tokens,
            tokens_forced=scheduler.num_forced,
            tokens_drafted=scheduler.num_drafted,
            tokens_accepted=scheduler.num_accepted,
        )

    def check_invariants(self) -> None:
        self._scheduler.check_invariants()

    def _note_first_steps(self, planned: PlannedStep, now_s: float) -> None:
        for sequence, _ in planned.parts:
            request_id = sequence.request.id
            if request_id not in self._queued_s:
                self._queued_s[request_id] = now_s - self._arrived_s[request_id]

    def _timed(self, request_id: RequestId, event: TokenEvent) -> tuple[RequestId, TokenEvent]:
        event = replace(event, queue_s=self._queued_s[request_id])
        if event.finish is not None:
            self._forget(request_id)
        return request_id, event

    def _forget(self, request_id: RequestId) -> None:
        self._arrived_s.pop(request_id, None)
        self._queued_s.pop(request_id, None)
