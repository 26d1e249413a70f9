"""What the libraries of others leave behind is theirs to mend, and is not to fail the test that comes after."""

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _collect_what_clients_leave() -> Iterator[None]:
    """litellm, for one, leaves event loops open; their sockets warn whenever the collector finds them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
