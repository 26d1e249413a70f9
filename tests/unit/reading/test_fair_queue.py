from hypothesis import given
from hypothesis import strategies as st

from autoglm_phone.core.request import Client
from autoglm_phone.reading.fair_queue import FairQueue

CLIENTS = [Client(place, name) for place in "AB" for name in "12"]


def taken(queue: FairQueue[str]) -> list[str]:
    return [queue.take() for _ in range(len(queue))]


def test_one_clients_work_keeps_its_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for number, work in enumerate((9.0, 1.0, 5.0)):
        queue.put(str(number), CLIENTS[0], work)
    assert taken(queue) == ["0", "1", "2"]


def test_places_share_equally_however_many_names_one_has() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(6):
        queue.put(f"many {number}", Client("here", str(number)), 1.0)
    for number in range(3):
        queue.put(f"one {number}", Client("there", "me"), 1.0)
    order = taken(queue)
    assert [one[:3] for one in order[:6]] == ["man", "one"] * 3


def test_little_goes_first_and_much_is_not_put_off_for_ever() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.put("much", Client("slow"), 10.0)
    order = []
    for number in range(40):  # always a newcomer with little
        queue.put("little", Client(f"newcomer {number}"), 1.0)
        order.append(queue.take())
    assert order[0] == "little"
    assert "much" in order[:25]


def test_work_shared_by_two_comes_at_the_turn_of_the_first_of_them() -> None:
    queue: FairQueue[str] = FairQueue()
    items = ["a", "b", "shared"]
    for item in items:
        queue.put(item, Client("here"), 1.0)
    queue.put(items[2], Client("there"), 1.0)
    assert len(queue) == 3
    assert taken(queue) == ["a", "shared", "b"]


@given(st.lists(st.tuples(st.sampled_from(CLIENTS), st.integers(1, 9)), min_size=8, max_size=60))
def test_nobody_is_behind_his_equal_part_by_more_than_the_largest_work(jobs: list[tuple[Client, int]]) -> None:
    """While all places have something waiting, what each was given differs by no more than two pieces of work."""
    queue: FairQueue[tuple[Client, int]] = FairQueue()
    left = {"A": 0, "B": 0}
    for client, work in jobs:
        queue.put((client, work), client, work)
        left[client.place] += 1
    given_work = {"A": 0, "B": 0}
    while all(left.values()):
        client, work = queue.take()
        left[client.place] -= 1
        given_work[client.place] += work
        assert abs(given_work["A"] - given_work["B"]) <= 2 * 9
