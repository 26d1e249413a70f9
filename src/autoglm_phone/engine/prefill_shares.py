"""How the prompt tokens of a step are divided: equal shares for places, and at each place for its clients. Pure."""

from collections import Counter
from collections.abc import Iterable

from autoglm_phone.core.request import Client
from autoglm_phone.engine.sequence import Sequence

Claim = tuple[Client, Sequence]
"""Whose share may be spent on a sequence: its own client's, or of one who waits for its prefix."""


def share_prefill(budget: int, claims: Iterable[Claim]) -> dict[Sequence, int]:
    """How many of `budget` positions each sequence gets; a client's claims are met in order, the first one first.

    What a client has no use for goes to the others, so nothing is left over while a sequence has positions to compute.
    """
    claims = list(claims)
    counts: dict[Sequence, int] = {}
    while budget > 0:
        heads: dict[Client, Sequence] = {}
        for client, sequence in claims:
            if counts.get(sequence, 0) < sequence.num_uncomputed:
                heads.setdefault(client, sequence)
        names = Counter(client.place for client in heads)
        if not heads:
            break
        to_divide = budget
        for client, sequence in heads.items():
            share = max(1, to_divide // (len(names) * names[client.place]))
            count = min(share, budget, sequence.num_uncomputed - counts.get(sequence, 0))
            if count:
                counts[sequence] = counts.get(sequence, 0) + count
                budget -= count
    return counts
