"""What a client may have of a full queue: an equal part, among places first and then among the clients of a place."""

from collections.abc import Iterable

from autoglm_phone.core.request import Client


def equal_share(limit: int, client: Client, others: Iterable[Client]) -> int:
    """others: those who have something in the queue; repeated as they like.

    Nobody is sent away for a newcomer, so what is there grows over its limit: 72 become at most 210 with ten places
    (72 + 36 + 24 + …).
    """
    clients = {*others, client}
    places = {one.place for one in clients}
    return limit // len(places) // sum(one.place == client.place for one in clients)
