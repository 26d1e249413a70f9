"""StopMatcher: ends a text at the first stop string, holding back what may become one."""

from collections.abc import Sequence


class StopMatcher:
    """`has_stopped` once a stop string was seen; it and all after it are never given out.

    Of several the one that is complete first counts, as it would letter by letter; of those the longest.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.has_stopped = False

    def push(self, text: str, *, final: bool = False) -> str:
        if self.has_stopped:
            return ""
        held = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := held.find(stop)) >= 0]
        if found:
            self.has_stopped = True
            return held[: min(found)[1]]
        keep = 0 if final else max((partial_suffix(held, stop) for stop in self._stops), default=0)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]


def partial_suffix(text: str, wanted: str) -> int:
    """Length of the longest end of text that is a proper beginning of wanted."""
    for length in range(min(len(text), len(wanted) - 1), 0, -1):
        if wanted.startswith(text[-length:]):
            return length
    return 0
