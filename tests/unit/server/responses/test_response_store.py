from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.server.responses.items import Item, new_id, user_text
from autoglm_phone.server.responses.memory_size import memory_bytes
from autoglm_phone.server.responses.store import ResponseStore, StoredResponse, Turn, stored_response

MANY = 1 << 20


def answered(said: str, earlier: Turn | None = None, answer: str = "Yes.") -> StoredResponse:
    return stored_response({"id": new_id("resp"), "output": [message(answer)]}, (user_text(said),), earlier)


def message(text: str) -> Item:
    content = [{"type": "output_text", "text": text}]
    return {"id": new_id("msg"), "type": "message", "role": "assistant", "content": content}


def texts(items: list[Item]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


def test_a_stored_response_comes_back_with_its_dialogue() -> None:
    store = ResponseStore(10, MANY)
    first = answered("One?")
    second = answered("Two?", first.turn, "No.")
    store.add(first)
    store.add(second)
    assert store.get(second.id) is second
    assert texts(second.turn.context()) == ["One?", "Yes.", "Two?"]
    assert store.get("resp_other") is None
    store.check_invariants()


def test_the_least_recently_used_goes_first() -> None:
    store = ResponseStore(2, MANY)
    first, second, third = answered("1"), answered("2"), answered("3")
    store.add(first)
    store.add(second)
    store.get(first.id)
    store.add(third)
    assert [store.get(each.id) is not None for each in (first, second, third)] == [True, False, True]


def test_a_dialogue_outlives_the_responses_it_came_from() -> None:
    store = ResponseStore(10, MANY)
    first = answered("One?")
    second = answered("Two?", first.turn)
    store.add(first)
    store.add(second)
    assert store.delete(first.id)
    assert not store.delete(first.id)
    found = store.get(second.id)
    assert found is not None
    assert texts(found.turn.context()) == ["One?", "Yes.", "Two?"]
    assert store.item(first.turn.output[0]["id"]) is first.turn.output[0]
    store.check_invariants()
    store.delete(second.id)
    assert (store.num_bytes, len(store)) == (0, 0)
    assert store.item(first.turn.output[0]["id"]) is None


def test_a_long_dialogue_is_held_once() -> None:
    store = ResponseStore(1000, 64 * MANY)
    turn, sizes, ids = None, [], []
    for _ in range(100):
        stored = answered("x" * 1000, turn)
        store.add(stored)
        turn = stored.turn
        sizes.append(store.num_bytes)
        ids.append(stored.id)
    assert sizes[-1] == 100 * sizes[0]
    for response_id in ids[:-1]:
        store.delete(response_id)
    assert store.num_bytes > 100 * 1000


def test_bytes_are_bounded_and_what_can_never_fit_moves_nothing_out() -> None:
    store = ResponseStore(10, 20_000)
    small = answered("Hi")
    store.add(small)
    big = answered("x" * 30_000)
    assert not store.has_room_for(big)
    assert store.has_room_for(small)
    assert not store.has_room_for(answered("x", big.turn))
    half = answered("x" * 16_000)
    assert store.has_room_for(half)
    store.add(half)
    assert store.get(small.id) is None
    store.check_invariants()


def test_a_store_for_nothing_keeps_nothing() -> None:
    assert not ResponseStore(0, MANY).has_room_for(answered("Hi"))


def test_a_turn_whose_response_went_meanwhile_is_held_again() -> None:
    """An answer takes a while, and the response it builds on may be deleted before it ends."""
    store = ResponseStore(10, MANY)
    first = answered("One?")
    store.add(first)
    store.delete(first.id)
    second = answered("Two?", first.turn)
    store.add(second)
    store.check_invariants()
    assert texts(second.turn.context()) == ["One?", "Yes.", "Two?"]


def test_memory_is_counted_as_python_holds_it() -> None:
    assert memory_bytes("x" * 1000) >= 1000
    assert memory_bytes("中" * 1000) >= 2000
    assert memory_bytes([[] for _ in range(1000)]) >= 56_000
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert memory_bytes(deep) > 100_000
    while deep:  # or its end would be too deep for the interpreter
        deep = deep[0]


@given(
    st.lists(st.tuples(st.sampled_from(["add", "follow", "delete", "get"]), st.integers(0, 9), st.integers(0, 3000)))
)
def test_invariants_hold_whatever_is_done(steps: list[tuple[str, int, int]]) -> None:
    store = ResponseStore(5, 12_000)
    known: list[StoredResponse] = []
    for do, which, length in steps:
        chosen = known[which % len(known)] if known else None
        if do in ("add", "follow"):
            earlier = chosen.turn if chosen is not None and do == "follow" else None
            stored = answered("x" * length, earlier)
            known.append(stored)
            if store.has_room_for(stored):
                store.add(stored)
                assert store.get(stored.id) is stored
        elif chosen is not None and do == "delete":
            store.delete(chosen.id)
            assert store.get(chosen.id) is None
        elif chosen is not None:
            store.get(chosen.id)
        store.check_invariants()
