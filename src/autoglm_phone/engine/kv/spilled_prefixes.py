"""SpilledPrefixes: finished prefixes that were moved out of the KV cache, within a budget of bytes.

A sequence's state can only be saved and restored whole, so entries that begin alike hold their beginning twice
(`docs/adr/0001` says why). When the budget is used up, those go first of whom most is in another entry as well.
"""

from collections import OrderedDict
from dataclasses import dataclass

from autoglm_phone.engine.kv.content import Content

MAX_ENTRIES = 64  # each is compared with every new prompt, which takes a few microseconds
MAX_CANDIDATES = 16  # the oldest; comparing all with all would take longer than a step may


@dataclass(frozen=True, eq=False)
class SpilledPrefix:
    content: Content
    state: bytes | bytearray


class SpilledPrefixes:
    """Kept least recently used first."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._entries: OrderedDict[int, SpilledPrefix] = OrderedDict()
        self._next_key = 0

    @property
    def num_bytes(self) -> int:
        return sum(len(entry.state) for entry in self._entries.values())

    def longest(self, wanted: Content) -> tuple[SpilledPrefix | None, int]:
        """The entry that agrees with `wanted` longest, and how far; of several, the one used last."""
        best, best_length = None, 0
        for entry in reversed(self._entries.values()):
            length = entry.content.common_prefix(wanted)
            if length > best_length:
                best, best_length = entry, length
        return best, best_length

    def holds(self, content: Content) -> bool:
        return any(entry.content.common_prefix(content) == len(content) for entry in self._entries.values())

    def add(self, entry: SpilledPrefix) -> None:
        """Its state is within the budget. What it contains is dropped, and what there is no room for any more."""
        for key in [k for k, e in self._entries.items() if entry.content.common_prefix(e.content) == len(e.content)]:
            del self._entries[key]
        self._entries[self._next_key] = entry
        self._next_key += 1
        while self.num_bytes > self.budget_bytes or len(self._entries) > MAX_ENTRIES:
            del self._entries[self._least_missed()]

    def remove(self, entry: SpilledPrefix) -> None:
        for key in [k for k, e in self._entries.items() if e is entry]:
            del self._entries[key]

    def clear(self) -> None:
        self._entries.clear()

    def check_invariants(self) -> None:
        assert self.num_bytes <= self.budget_bytes
        assert len(self._entries) <= MAX_ENTRIES

    def _least_missed(self) -> int:
        """Of the old ones, the oldest that another entry holds half of, else the oldest; never the newest of all."""
        *older, _ = self._entries
        for key in older[:MAX_CANDIDATES]:
            content = self._entries[key].content
            others = (entry.content for other, entry in self._entries.items() if other != key)
            if any(2 * other.common_prefix(content) >= len(content) for other in others):
                return key
        return older[0]
