"""Errors of the chat that a response request was turned into, told in the words of that request."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from autoglm_phone.core.errors import RequestError

# Path in the chat request -> path in the client's own.
Places = Mapping[str, str]

# What stands here belongs to an earlier request: indexes into it would tell the client nothing.
WHOLE = ("previous_response_id",)

_NAME = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*)`")


@contextmanager
def in_words_of(places: Places) -> Iterator[None]:
    try:
        yield
    except RequestError as error:
        restate(error, places)
        raise


def restate(error: RequestError, places: Places) -> None:
    message = str(error)
    if error.param is not None:
        place = _moved(error.param, places)
        if "[" in error.param:  # elsewhere it is a word like any other
            message = message.replace(error.param, place)
        error.param = place
    error.message = _NAME.sub(lambda name: f"`{places.get(name[1], name[1])}`", message)
    error.args = (error.message,)


def _moved(path: str, places: Places) -> str:
    """By the longest prefix that has a place of its own."""
    ends = [*(match.start() for match in re.finditer(r"[.\[]", path)), len(path)]
    for end in reversed(ends):
        if (place := places.get(path[:end])) is not None:
            return place if place in WHOLE else place + path[end:]
    return path
