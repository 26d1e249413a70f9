"""Turns: which waiting request is next, so that no client starves another, however many requests he sends.

Fewest running first, then who has waited longest since he was last served; places among each other, then the names
at a place, then the requests of a client by age. `docs/adr/0005` says why.
"""

from collections import Counter
from collections.abc import Hashable, Iterable

from autoglm_phone.core.request import Client
from autoglm_phone.engine.sequence import Sequence


class Turns:
    """Knows clients with open requests only, so the queue bounds it. Time is counted in what happens here."""

    def __init__(self) -> None:
        self._now = 0
        self._served: dict[Hashable, int] = {}
        self._num_open: Counter[Hashable] = Counter()

    def come(self, client: Client) -> None:
        """A request has come. Who is new counts as served just now: whoever waits already goes first."""
        self._now += 1
        for who in _levels(client):
            self._num_open[who] += 1
            self._served.setdefault(who, self._now)

    def serve(self, client: Client) -> None:
        self._now += 1
        for who in _levels(client):
            self._served[who] = self._now

    def leave(self, client: Client) -> None:
        for who in _levels(client):
            self._num_open[who] -= 1
            if not self._num_open[who]:
                del self._num_open[who], self._served[who]

    def order(self, waiting: Iterable[Sequence], seated: Iterable[Sequence]) -> list[Sequence]:
        """The waiting ones, the next first. seated: those that run, or for whom a seat is kept."""
        seats = seats_of(seated)

        def turn(sequence: Sequence) -> tuple[int, int, int, int, int]:
            place, name = _levels(sequence.request.client)
            return seats[place], self._served[place], seats[name], self._served[name], sequence.arrival

        return sorted(waiting, key=turn)


def seats_of(sequences: Iterable[Sequence]) -> Counter[Hashable]:
    """How many of the sequences each place and each client has."""
    return Counter(who for sequence in sequences for who in _levels(sequence.request.client))


def newest_of_the_greediest(running: list[Sequence]) -> Sequence:
    """Whom to preempt: who came last of the client with most running, at the place with most. running: oldest first.

    Never the oldest unless it is alone, so that always somebody comes to an end.
    """
    seats = seats_of(running)

    def greed(index: int) -> tuple[int, int, int]:
        place, name = _levels(running[index].request.client)
        return seats[place], seats[name], index

    return running[max(range(len(running)), key=greed)]


def _levels(client: Client) -> tuple[Hashable, Hashable]:
    return client.place, client
