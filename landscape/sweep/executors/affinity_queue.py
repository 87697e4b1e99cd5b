"""A queue that gives runs of the same program to the same worker."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from landscape.config import Run


def grouped(runs: Iterable[Run], keys: Mapping[str, str]) -> dict[str, list[Run]]:
    """Groups runs by program in order; `keys` maps each run id to its program."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(keys[run.id], []).append(run)
    return groups


def choose_program(
    counts: Mapping[str, int], compiled: Collection[str], begun: Collection[str]
) -> str | None:
    """Returns the program that a worker continues with; None if no runs are left.

    `counts`: the number of waiting runs per program. Prefers a program that the worker has
    `compiled`, then one that no worker has `begun`, then the one with the most runs: to help there
    costs a compilation, which is cheaper than an idle worker.
    """
    for preferred in (compiled, counts.keys() - begun, counts.keys()):
        candidates = [key for key in counts if counts[key] and key in preferred]
        if candidates:
            return max(candidates, key=lambda key: counts[key])
    return None


class AffinityQueue:
    """Waiting runs by program, and the programs that each worker has compiled."""

    def __init__(self, groups: Mapping[str, Sequence[Run]]) -> None:
        self._waiting = {key: list(runs) for key, runs in groups.items()}
        self._compiled: dict[str, set[str]] = {}
        self._begun: set[str] = set()

    def take(self, worker: str) -> tuple[str, list[Run]] | None:
        """Returns the program that the worker continues with, and its waiting runs."""
        counts = {key: len(runs) for key, runs in self._waiting.items()}
        compiled = self._compiled.setdefault(worker, set())
        key = choose_program(counts, compiled, self._begun)
        if key is None:
            return None
        self._begun.add(key)
        compiled.add(key)  # or is about to be
        return key, self._waiting[key]

    def forget(self, worker: str) -> None:
        """Records that a worker died: its replacement has compiled nothing."""
        self._compiled.pop(worker, None)

    def put_back(self, key: str, run: Run) -> None:
        """Requeues a run before all others of its program."""
        self._waiting[key].insert(0, run)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
