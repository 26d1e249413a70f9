"""What a server remembers of responses: a bounded store in memory, the least recently used go first.

A dialogue is a chain of turns, each with what it added, so a dialogue of N responses is held once and branches share
what they have in common. A turn lives as long as any stored response builds on it, even if its own was deleted.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from autoglm_phone.server.responses.items import Item
from autoglm_phone.server.responses.memory_size import memory_bytes


@dataclass(eq=False)
class Turn:
    """The input and the output of one response, behind an earlier turn. holders: responses and turns that need it."""

    earlier: "Turn | None"
    input: tuple[Item, ...]
    output: tuple[Item, ...]
    size_bytes: int = field(init=False)
    holders: int = 0

    def __post_init__(self) -> None:
        self.size_bytes = memory_bytes((self.input, self.output))

    def context(self) -> list[Item]:
        """What this turn answered, the oldest first: all that came earlier, and its own input."""
        earlier = [item for turn in reversed(list(chain(self.earlier))) for item in (*turn.input, *turn.output)]
        return [*earlier, *self.input]


@dataclass(frozen=True, eq=False)
class StoredResponse:
    """response: as it was answered; its output items are those of the turn."""

    response: dict[str, Any]
    turn: Turn
    size_bytes: int

    @property
    def id(self) -> str:
        return str(self.response["id"])


def stored_response(response: dict[str, Any], input: tuple[Item, ...], earlier: Turn | None) -> StoredResponse:
    size = memory_bytes({name: value for name, value in response.items() if name != "output"})
    return StoredResponse(response, Turn(earlier, input, tuple(response["output"])), size)


class ResponseStore:
    """One owner: the event loop. max_responses 0 keeps nothing."""

    def __init__(self, max_responses: int, max_bytes: int) -> None:
        self._max_responses, self._max_bytes = max_responses, max_bytes
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()
        self._items: dict[str, Item] = {}  # by id; outputs of turns that are held
        self._num_bytes = 0

    @property
    def num_bytes(self) -> int:
        return self._num_bytes

    def __len__(self) -> int:
        return len(self._responses)

    def has_room_for(self, stored: StoredResponse) -> bool:
        """Whether it fits once everything else is gone."""
        dialogue_bytes = sum(turn.size_bytes for turn in chain(stored.turn))
        return self._max_responses > 0 and stored.size_bytes + dialogue_bytes <= self._max_bytes

    def add(self, stored: StoredResponse) -> None:
        """There must be room for it; others make place."""
        self._responses[stored.id] = stored
        self._num_bytes += stored.size_bytes
        self._hold(stored.turn)
        while len(self._responses) > self._max_responses or self._num_bytes > self._max_bytes:
            self.delete(next(iter(self._responses)))

    def get(self, response_id: str) -> StoredResponse | None:
        if response_id in self._responses:
            self._responses.move_to_end(response_id)
        return self._responses.get(response_id)

    def delete(self, response_id: str) -> bool:
        """Whether there was one. What later responses build on stays with them."""
        stored = self._responses.pop(response_id, None)
        if stored is None:
            return False
        self._num_bytes -= stored.size_bytes
        self._release(stored.turn)
        return True

    def item(self, item_id: str) -> Item | None:
        """An item that a response has put out."""
        return self._items.get(item_id)

    def check_invariants(self) -> None:
        held: dict[Turn, int] = {}
        for stored in self._responses.values():
            turn: Turn | None = stored.turn
            while turn is not None:
                held[turn] = held.get(turn, 0) + 1
                turn = turn.earlier if held[turn] == 1 else None
        assert all(turn.holders == holders for turn, holders in held.items())
        size = sum(turn.size_bytes for turn in held) + sum(stored.size_bytes for stored in self._responses.values())
        assert self._num_bytes == size <= self._max_bytes
        assert len(self._responses) <= self._max_responses
        assert set(self._items) == {item["id"] for turn in held for item in turn.output}

    def _hold(self, turn: Turn | None) -> None:
        while turn is not None:
            turn.holders += 1
            if turn.holders > 1:
                return
            self._num_bytes += turn.size_bytes
            self._items |= {item["id"]: item for item in turn.output}
            turn = turn.earlier

    def _release(self, turn: Turn | None) -> None:
        while turn is not None:
            turn.holders -= 1
            if turn.holders > 0:
                return
            self._num_bytes -= turn.size_bytes
            for item in turn.output:
                del self._items[item["id"]]
            turn = turn.earlier


def chain(turn: Turn | None) -> Iterator[Turn]:
    """The newest first."""
    while turn is not None:
        yield turn
        turn = turn.earlier
