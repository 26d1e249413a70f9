"""FairQueue: waiting work in the order in which places, and the clients of a place, have their turn. Pure.

Each of them has a clock of the work that it was given. Whoever's next work would end first by these clocks goes first:
so little work does not stand behind much of somebody else's, and much does not wait for ever, because whoever comes
later starts later. A client's own work keeps its order. Source: start-time and self-clocked fair queueing (Goyal et
al. 1996), one level for places and one for the clients there, as docs/adr/0005 has it.
"""

import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from autoglm_phone.core.request import Client

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[T]):
    """came: by the clock of the queue. number: in the order of arrival."""

    item: T
    client: Client
    work: float
    came: float
    number: int


class FairQueue(Generic[T]):
    """Items are told apart by identity."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting[T]] = []
        self._given: dict[
            Hashable, float
        ] = {}  # until when, by the queue's clock; of those who are ahead of it or wait
        self._now = 0.0
        self._begun = 0.0  # by how much the clock goes on when what was taken last is done
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[T]:
        """Each item once, in the order of arrival."""
        seen: set[int] = set()
        for one in self._waiting:
            if id(one.item) not in seen:
                seen.add(id(one.item))
                yield one.item

    def put(self, item: T, client: Client, work: float) -> None:
        """work: in any unit that is the same for all. An item that is there already now waits for this client, too."""
        self._waiting.append(_Waiting(item, client, work, self._now, next(self._numbers)))

    def take(self) -> T:
        """The next one; there must be one. What was taken before is done."""
        self._now += self._begun
        heads: dict[Client, _Waiting[T]] = {}
        for one in self._waiting:
            heads.setdefault(one.client, one)
        places: dict[str, _Waiting[T]] = {}
        for one in sorted(heads.values(), key=lambda one: (self._end(one.client, one), one.number)):
            places.setdefault(one.client.place, one)
        first = min(places.values(), key=lambda one: (self._end(one.client.place, one), one.number))
        for who in (first.client, first.client.place):
            self._given[who] = self._end(who, first)
        self._begun = first.work / len(places)
        self.remove(first.item)
        still_here = {who for one in self._waiting for who in (one.client, one.client.place)}
        self._given = {who: at for who, at in self._given.items() if at > self._now or who in still_here}
        return first.item

    def remove(self, item: T) -> None:
        """Whoever it waited for. Nothing happens if it is not there."""
        self._waiting = [one for one in self._waiting if one.item is not item]

    def _end(self, who: Hashable, one: _Waiting[T]) -> float:
        return max(self._given.get(who, 0.0), one.came) + one.work
