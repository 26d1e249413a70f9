"""FakeBackend: a deterministic backend without a model, for tests and docs.

Its answer depends on every position that it was fed, so a wrong cache, a wrong position or a mixed-up slot changes
the text. It checks what it is told: a step must continue its slot, and cells are counted, shared ones once.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoglm_phone.core.backend import StepItem, StepPlan, StepResult
from autoglm_phone.core.errors import StepFailed
from autoglm_phone.core.ids import RequestId, SlotId, TokenId
from autoglm_phone.core.request import SamplingParams

Values = Sequence[str]
"""What stands at each position of a slot: the token's number, or the hash of an embedding."""

Choose = Callable[[Values, SamplingParams], TokenId]


def choose_by_hash(vocab_size: int) -> Choose:
    """A chooser whose every draw depends on all positions and, unless greedy, on the seed."""

    def choose(values: Values, params: SamplingParams) -> TokenId:
        salt = "greedy" if params.is_greedy else str(params.seed)
        digest = hashlib.sha256(" ".join([salt, *values]).encode()).digest()
        return TokenId(int.from_bytes(digest[:4], "big") % vocab_size)

    return choose


@dataclass(frozen=True, eq=False)
class _Cell:
    """One position; slots that share a prefix hold the same objects."""

    value: str


class FakeBackend:
    """Implements core.backend.Backend over lists."""

    def __init__(self, choose: Choose, *, num_slots: int, kv_tokens: int) -> None:
        self._choose = choose
        self._kv_tokens = kv_tokens
        self._slots: list[list[_Cell]] = [[] for _ in range(num_slots)]
        self._samplers: dict[RequestId, SamplingParams] = {}
        self.num_computed = 0

    def step(self, plan: StepPlan) -> StepResult:
        sampled = {}
        for item in plan.items:
            self._fill(item)
            if item.sample_for is not None:
                values = [cell.value for cell in self._slots[item.slot]]
                sampled[item.sample_for] = self._choose(values, self._samplers[item.sample_for])
        return StepResult(sampled)

    def _fill(self, item: StepItem) -> None:
        slot = self._slots[item.slot]
        if len(slot) != item.start:
            raise StepFailed(f"slot {item.slot} holds {len(slot)} positions, the step starts at {item.start}")
        if item.embeddings is None:
            values = [str(token) for token in item.tokens]
        else:
            values = [hashlib.sha256(row.tobytes()).hexdigest() for row in item.embeddings]
        slot += [_Cell(value) for value in values]
        self.num_computed += len(values)
        if self.num_used_cells > self._kv_tokens:
            raise StepFailed(f"{self.num_used_cells} cells are needed, there are {self._kv_tokens}")

    @property
    def num_used_cells(self) -> int:
        return len({id(cell) for slot in self._slots for cell in slot})

    def copy_prefix(self, source: SlotId, target: SlotId, num_tokens: int) -> None:
        if self._slots[target] or num_tokens > len(self._slots[source]):
            raise StepFailed(f"cannot copy {num_tokens} positions from slot {source} to slot {target}")
        self._slots[target] = self._slots[source][:num_tokens]

    def trim(self, slot: SlotId, num_tokens: int) -> None:
        del self._slots[slot][num_tokens:]

    def save(self, slot: SlotId) -> bytes:
        return json.dumps([cell.value for cell in self._slots[slot]]).encode()

    def restore(self, slot: SlotId, state: bytes | bytearray) -> None:
        if self._slots[slot]:
            raise StepFailed(f"slot {slot} is not empty")
        self._slots[slot] = [_Cell(value) for value in json.loads(state)]

    def start_sampling(self, request: RequestId, params: SamplingParams, prompt: tuple[TokenId, ...]) -> None:
        self._samplers[request] = params

    def stop_sampling(self, request: RequestId) -> None:
        self._samplers.pop(request, None)

    @property
    def num_samplers(self) -> int:
        return len(self._samplers)

    def close(self) -> None:
        self._slots.clear()
