"""Rows of numbers to the bytes of their format, several chunks at once and in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from autoglm_phone.convert.planned import Planned
from autoglm_phone.core.errors import BundleError
from autoglm_phone.weights.dequantize import Bytes, Floats
from autoglm_phone.weights.gguf_types import TensorType

Item = TypeVar("Item")
Result = TypeVar("Result")


class Quantise(Protocol):
    """(rows, numbers of a row) -> (rows, bytes of a row). Raises BundleError if a number does not fit."""

    def __call__(self, rows: Floats, type_: TensorType, /) -> Bytes: ...


def in_order(
    executor: Executor, threads: int, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """The results as the items came; one item more than there are threads is taken at a time."""
    running: deque[Future[Result]] = deque()
    for item in items:
        running.append(executor.submit(work, item))
        if len(running) > threads:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


@dataclass(frozen=True)
class Encoder:
    """threads: of the executor."""

    quantise: Quantise
    executor: Executor
    threads: int

    def chunks(self, planned: Planned, rows: Iterable[Floats]) -> Iterator[Bytes]:
        return in_order(self.executor, self.threads, lambda some: self._encode(planned, some), rows)

    def _encode(self, planned: Planned, rows: Floats) -> Bytes:
        match planned.type.name:
            case "F32":
                return rows.astype("<f4").view(np.uint8)
            case "F16":
                with np.errstate(over="ignore"):
                    halves = rows.astype("<f2")
                if not np.isfinite(halves).all():
                    raise BundleError(f"{planned.name}: numbers up to {np.abs(rows).max():g} do not fit into F16")
                return halves.view(np.uint8)
            case _:
                try:
                    return self.quantise(rows, planned.type)
                except BundleError as error:
                    raise BundleError(f"{planned.name}: {error}") from error
