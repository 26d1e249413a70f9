"""SlotKV: who owns the backend's slots, what finished prefixes stay, and what is moved out to memory.

A slot is free, owned by one running sequence, or cached. Finished sequences stay as cached slots; a new prompt
takes over or copies the longest one that agrees with it, position by position. Cached slots are given up least
recently used first: their state is spilled to host memory within a budget, or dropped.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from autoglm_phone.core.ids import RequestId, SlotId
from autoglm_phone.engine.kv.cell_pool import CellPool, Cells
from autoglm_phone.engine.kv.content import Content
from autoglm_phone.engine.kv.spilled_prefixes import SpilledPrefix, SpilledPrefixes

# Restoring costs about 2 us a token and computing about 6 ms (measured on the 0.5B), so a few tokens pay already.
MIN_RESTORE_GAIN = 16


class KVStore(Protocol):
    """The part of a backend that moves KV; see core.backend.Backend."""

    def copy_prefix(self, source: SlotId, target: SlotId, end: int) -> None: ...
    def trim(self, slot: SlotId, end: int) -> None: ...
    def save(self, slot: SlotId) -> bytes | bytearray: ...
    def restore(self, slot: SlotId, state: bytes | bytearray) -> None: ...


@dataclass(eq=False)
class _Slot:
    """cells holds one entry a position of content."""

    content: Content
    cells: Cells
    owner: RequestId | None


EMPTY = Content(np.empty(0, dtype=np.int32), ())
NO_CELLS: Cells = np.empty(0, dtype=np.int32)


class SlotKV:
    """num_slots and num_cells are the backend's; idle_tokens and spill_bytes bound what finished prefixes take."""

    def __init__(self, store: KVStore, *, num_slots: int, num_cells: int, idle_tokens: int, spill_bytes: int) -> None:
        self._store = store
        self._pool = CellPool(num_cells)
        self._idle_tokens = idle_tokens
        self._free_slots = [SlotId(index) for index in reversed(range(num_slots))]
        self._slots: OrderedDict[SlotId, _Slot] = OrderedDict()  # least recently used first
        self._spilled = SpilledPrefixes(spill_bytes)
        self.num_spills = 0
        self.num_restores = 0

    @property
    def num_used(self) -> int:
        return self._pool.num_cells - self._pool.num_free

    @property
    def num_free(self) -> int:
        return self._pool.num_free

    @property
    def num_idle(self) -> int:
        """Cells that only cached slots hold."""
        return self._pool.num_used_only_outside([s.cells for s in self._slots.values() if s.owner is not None])

    @property
    def spilled_bytes(self) -> int:
        return self._spilled.num_bytes

    def can_hold(self, num_tokens: int) -> bool:
        """Would `num_tokens` more fit if every cached slot were given up?"""
        return num_tokens <= self._pool.num_free + self.num_idle

    def attach(self, owner: RequestId, content: Content) -> tuple[SlotId, int]:
        """Give `owner` a slot that holds the longest known prefix of content: the slot and how many tokens.

        At least the last position is left to be computed, because its logits are wanted.
        The caller has fewer owners than there are slots.
        """
        wanted = content.first(_last_boundary(content, len(content) - 1))
        source, hit = self._best_slot(wanted)
        spill, spill_hit = self._spilled.longest(wanted)
        if spill is not None and spill_hit >= hit + MIN_RESTORE_GAIN and self._restore(spill, owner, spill_hit):
            return next(reversed(self._slots)), spill_hit
        if source is None:
            return self._open(owner), 0
        slot = self._slots[source]
        if slot.owner is None and len(slot.content) == hit:
            slot.owner = owner
            self._slots.move_to_end(source)
            return source, hit
        self._slots.move_to_end(source)  # it was useful; and _open must not choose it as a victim
        target = self._open(owner, keep=source)
        self._store.copy_prefix(source, target, hit - slot.content.lag_at(hit))
        self._pool.share(slot.cells[:hit])
        self._slots[target].cells = slot.cells[:hit].copy()
        self._slots[target].content = slot.content.first(hit)
        return target, hit

    def extend(self, slot_id: SlotId, content: Content, count: int) -> bool:
        """Take cells for the next `count` positions of content, whose start the slot holds.

        False if there is no room even without cached slots; nothing is taken then.
        """
        slot = self._slots[slot_id]
        while self._pool.num_free < count:
            if not self._give_up_oldest():
                return False
        slot.cells = np.concatenate([slot.cells, self._pool.take(count)])
        filled = len(slot.cells)
        slot.content = Content(content.keys[:filled], tuple(key for key in content.media if key.start < filled))
        return True

    def longest_hit(self, content: Content, apart_from: SlotId) -> int:
        """How many positions of content are known without the slot `apart_from`."""
        in_slots = (s.content.common_prefix(content) for slot_id, s in self._slots.items() if slot_id != apart_from)
        _, spilled = self._spilled.longest(content)
        return max((spilled, *in_slots))

    def rewind(self, slot_id: SlotId, num_tokens: int) -> None:
        """Take back what was extended beyond the first `num_tokens` positions, and a medium that is cut there."""
        self._trim(slot_id, _last_boundary(self._slots[slot_id].content, num_tokens))

    def detach(self, slot_id: SlotId) -> None:
        """The owner is done: keep the slot as a cached prefix. A slot that is not owned is left alone."""
        slot = self._slots.get(slot_id)
        if slot is None or slot.owner is None:
            return
        slot.owner = None
        whole = _last_boundary(slot.content, len(slot.content))
        self._trim(slot_id, whole)
        self._slots.move_to_end(slot_id)
        if not len(slot.content) or self._is_inside_another(slot_id):
            self._drop(slot_id)
        while self.num_idle > self._idle_tokens and self._give_up_oldest():
            pass

    def clear(self) -> None:
        """Forget everything that no sequence owns."""
        for slot_id in [i for i, slot in self._slots.items() if slot.owner is None]:
            self._drop(slot_id)
        self._spilled.clear()

    def check_invariants(self) -> None:
        self._pool.check_invariants([slot.cells for slot in self._slots.values()])
        assert not set(self._free_slots) & set(self._slots), "a slot is free and used"
        owners = [slot.owner for slot in self._slots.values() if slot.owner is not None]
        assert len(owners) == len(set(owners)), "a request owns two slots"
        assert all(len(slot.cells) == len(slot.content) for slot in self._slots.values())
        self._spilled.check_invariants()

    def _best_slot(self, wanted: Content) -> tuple[SlotId | None, int]:
        best, best_length, best_is_free = None, 0, False
        for slot_id, slot in self._slots.items():
            length = slot.content.common_prefix(wanted)
            is_free = slot.owner is None and length == len(slot.content)  # can be taken over as it is
            if (length, is_free) > (best_length, best_is_free):
                best, best_length, best_is_free = slot_id, length, is_free
        return best, best_length

    def _open(self, owner: RequestId, keep: SlotId | None = None) -> SlotId:
        """An empty slot; a cached one other than `keep` is given up if none is free."""
        if not self._free_slots:
            gave_up = self._give_up_oldest(keep)
            assert gave_up, "more owners than slots"
        slot_id = self._free_slots.pop()
        self._slots[slot_id] = _Slot(EMPTY, NO_CELLS, owner)
        return slot_id

    def _restore(self, entry: SpilledPrefix, owner: RequestId, hit: int) -> bool:
        """Bring a spilled prefix back into a slot of its own, cut to `hit`; False if it does not fit in whole."""
        if not self.can_hold(len(entry.content)):
            return False
        self._spilled.remove(entry)  # making room would drop it, or what is younger
        while self._pool.num_free < len(entry.content):
            self._give_up_oldest()
        slot_id = self._open(owner)
        self._store.restore(slot_id, entry.state)
        self.num_restores += 1
        slot = self._slots[slot_id]
        slot.content, slot.cells = entry.content, self._pool.take(len(entry.content))
        if hit < len(entry.content):
            self._trim(slot_id, hit)
            self._spilled.add(entry)  # another branch may want the rest
        return True

    def _give_up_oldest(self, keep: SlotId | None = None) -> bool:
        """Spill or drop the least recently used cached slot; False if there is none."""
        for slot_id, slot in self._slots.items():
            if slot.owner is None and slot_id != keep:
                if self._spilled.budget_bytes and not self._spilled.holds(slot.content):
                    self._spill(slot_id)
                self._drop(slot_id)
                return True
        return False

    def _spill(self, slot_id: SlotId) -> None:
        """Save a slot, or as much of its beginning as the budget holds. It is dropped next."""
        slot = self._slots[slot_id]
        state = self._store.save(slot_id)
        while len(state) > self._spilled.budget_bytes:
            fits = len(slot.content) * self._spilled.budget_bytes // len(state)
            self._trim(slot_id, _last_boundary(slot.content, min(fits, len(slot.content) - 1)))
            if len(slot.content) < MIN_RESTORE_GAIN or self._spilled.holds(slot.content):
                return
            state = self._store.save(slot_id)
        self._spilled.add(SpilledPrefix(Content(slot.content.keys.copy(), slot.content.media), state))
        self.num_spills += 1

    def _is_inside_another(self, slot_id: SlotId) -> bool:
        """Drops cached slots that this one contains; True if another one contains this one."""
        content = self._slots[slot_id].content
        for other_id, other in [(i, s) for i, s in self._slots.items() if i != slot_id]:
            common = content.common_prefix(other.content)
            if common == len(content):
                return True
            if common == len(other.content) and other.owner is None:
                self._drop(other_id)
        return False

    def _trim(self, slot_id: SlotId, length: int) -> None:
        slot = self._slots[slot_id]
        if length < len(slot.content):
            self._store.trim(slot_id, length - slot.content.lag_at(length))
            self._pool.release(slot.cells[length:])
            slot.cells, slot.content = slot.cells[:length], slot.content.first(length)

    def _drop(self, slot_id: SlotId) -> None:
        slot = self._slots.pop(slot_id)
        self._store.trim(slot_id, 0)
        self._pool.release(slot.cells)
        self._free_slots.append(slot_id)


def _last_boundary(content: Content, length: int) -> int:
    """The largest length up to `length` that does not end inside a medium."""
    for key in content.media:
        if key.start < length < key.end:
            return key.start
    return length
