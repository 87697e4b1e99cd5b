"""The slices of a run while they are computed: reported, and stored so that they can go on."""

import hashlib
from pathlib import Path

import numpy as np

from landscape import config
from landscape.config import Run
from landscape.numerics.example_stream import RiskTable, Watcher
from landscape.run.progress import Progress
from landscape.storage import partial_slices


class SliceProgress:
    """Tables of the slices of a run, in the order in which they are computed.

    That order follows from the config, so the number of a table identifies it. A run with another
    config, another point or other data does not use the tables of an earlier one.
    """

    def __init__(self, run: Run, folder: Path, progress: Progress) -> None:
        self._folder, self._progress = folder, progress
        self._identity = hashlib.sha256(config.dump(run).encode()).hexdigest()
        self._arrays = partial_slices.read(folder, self._identity)
        self._started = 0

    def next_table(self, slices: int, points: int) -> RiskTable:
        """Returns the next table, with what an interrupted run has stored of it."""
        name, self._started = f"table{self._started}", self._started + 1
        table = RiskTable.empty(slices, points)
        stored = [self._arrays.get(f"{name}/{field}") for field in RiskTable._fields]
        for array, earlier in zip(table, stored, strict=True):
            if earlier is not None and earlier.shape == array.shape:
                array[...] = earlier
        self._arrays |= {f"{name}/{field}": array for field, array in table._asdict().items()}
        return table

    @property
    def watcher(self) -> Watcher:
        """What a slice calls: it reports the evaluated batches, and stores the tables."""
        return Watcher(self._progress.measured, self._store)

    def _store(self, table: RiskTable) -> None:
        known = {name: np.asarray(array) for name, array in self._arrays.items()}
        partial_slices.write(self._folder, self._identity, known)

    def end(self) -> None:
        """Removes what was stored."""
        partial_slices.remove(self._folder)
