"""Room for recursion as deep as a client's grammar makes it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")

# llguidance follows rules and references by recursion: 2,000 of them in a row, 110 KB of schema, overflow the usual
# 8 MiB and end the process. It takes at most 65,000 symbols. Only what is used of this is ever backed by memory.
STACK_BYTES = 512 << 20


def on_deep_stack(call: Callable[[], _T]) -> _T:
    """Run `call` in a thread of its own with a large stack, and wait for it."""
    result: Future[_T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # a panic inside the library is no Exception
            result.set_exception(error)

    thread = threading.Thread(target=run, name="deep stack")
    usual = threading.stack_size(STACK_BYTES)  # for threads started from here on
    try:
        thread.start()
    finally:
        threading.stack_size(usual)
    thread.join()
    return result.result()
