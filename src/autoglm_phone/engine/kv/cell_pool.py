"""CellPool: which of the backend's KV cells are free, and how many slots share each of the others."""

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int32]


class CellPool:
    """Counts references to cells. The numbers are ours: only how many are in use must match the backend."""

    def __init__(self, num_cells: int) -> None:
        self._references = np.zeros(num_cells, dtype=np.int32)
        self._free = np.arange(num_cells, dtype=np.int32)[::-1].copy()
        self._num_free = num_cells

    @property
    def num_cells(self) -> int:
        return len(self._references)

    @property
    def num_free(self) -> int:
        return self._num_free

    def take(self, count: int) -> Cells:
        """Give `count` free cells, each with one reference. The caller has looked at num_free."""
        assert count <= self._num_free, f"{count} cells asked for, {self._num_free} free"
        cells = self._free[self._num_free - count : self._num_free].copy()
        self._num_free -= count
        self._references[cells] = 1
        return cells

    def share(self, cells: Cells) -> None:
        self._references[cells] += 1

    def release(self, cells: Cells) -> None:
        """Drop one reference of each; those without any are free again."""
        self._references[cells] -= 1
        freed = cells[self._references[cells] == 0]
        self._free[self._num_free : self._num_free + len(freed)] = freed
        self._num_free += len(freed)

    def num_used_only_outside(self, owned: list[Cells]) -> int:
        """How many cells in use none of the `owned` runs refers to."""
        is_idle = self._references > 0
        for cells in owned:
            is_idle[cells] = False
        return int(is_idle.sum())

    def check_invariants(self, runs: list[Cells]) -> None:
        """Every cell is free, or referred to by exactly as many of `runs` as its count says."""
        counts = np.zeros_like(self._references)
        for cells in runs:
            assert len(np.unique(cells)) == len(cells), "a run holds a cell twice"
            counts[cells] += 1
        assert (counts == self._references).all(), "a cell has more or fewer references than holders"
        free = self._free[: self._num_free]
        assert len(np.unique(free)) == len(free), "a cell is free twice"
        assert (counts[free] == 0).all(), "a cell is free and held"
        assert self._num_free + int((counts > 0).sum()) == self.num_cells, "a cell is lost"
