"""Whether a server fits, and what the processes hold."""

import os

import pytest

from autoglm_phone.assemble.memory import check_fits, measured
from autoglm_phone.core.errors import SetupError
from autoglm_phone.core.memory import MemoryEstimate, MemoryPart

MB = 1_000_000
MEMORY = MemoryEstimate(
    (
        MemoryPart("engine", "weights", 800 * MB),
        MemoryPart("engine", "old pages", 300 * MB, "reclaimable"),
        MemoryPart("engine", "kv cache", 150 * MB),
        MemoryPart("api", "process", 50 * MB),
        MemoryPart("engine", "spilled prefixes", 500 * MB, "growing"),
    )
)


def test_the_sums_say_what_must_be_there_what_is_and_what_may_come() -> None:
    assert (MEMORY.needed_bytes, MEMORY.resident_bytes, MEMORY.largest_bytes) == (1000 * MB, 1300 * MB, 1800 * MB)


def test_what_can_be_taken_back_or_comes_later_does_not_count_against_the_machine() -> None:
    check_fits(MEMORY, 1000 * MB, "big")


def test_a_machine_that_is_too_small_is_told_the_numbers_and_the_ways_out() -> None:
    with pytest.raises(SetupError) as caught:
        check_fits(MEMORY, 999 * MB, "big")
    said = str(caught.value)
    assert said.startswith(
        "big needs 1,000 MB of memory (engine weights 800 MB, engine kv cache 150 MB, api process 50 MB, ...), and "
        "this machine has 999 MB;"
    )
    assert "--kv-tokens" in said
    assert "--no-check-memory" in said


def test_processes_that_are_there_are_measured() -> None:
    sizes = measured({"engine": os.getppid(), "media": None})
    assert set(sizes) == {"api", "engine"}
    assert sizes["api"] > 10 * MB
    assert set(measured({"engine": 2**22 + 1})) == {"api"}  # above the largest process id of Linux
