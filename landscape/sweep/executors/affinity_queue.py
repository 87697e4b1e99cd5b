"""Which run a worker gets next: runs that share a program go to the same worker."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from landscape.config import Run


def grouped(runs: Iterable[Run], keys: Mapping[str, str]) -> dict[str, list[Run]]:
    """Runs by the program that they share, in order; `keys` names the program of each run."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(keys[run.id], []).append(run)
    return groups


def choose(left: Mapping[str, int], own: Collection[str], begun: Collection[str]) -> str | None:
    """The program that a worker continues with, of those with runs left; None where there is none.

    First one that it has compiled, then one that nobody has, then the one with most runs left: to
    help there costs a compilation, which is less than to be idle.
    """
    for some in (own, left.keys() - begun, left.keys()):
        chosen = [key for key in left if left[key] and key in some]
        if chosen:
            return max(chosen, key=lambda key: left[key])
    return None


class Queue:
    """Runs that wait, by program, and which worker has worked on which."""

    def __init__(self, groups: Mapping[str, Sequence[Run]]) -> None:
        self._waiting = {key: list(runs) for key, runs in groups.items()}
        self._begun: set[str] = set()
        self._own: dict[str, set[str]] = {}

    def begin(self, worker: str, key: str) -> None:
        """Remembers that a worker has compiled a program, or is about to."""
        self._begun.add(key)
        self._own.setdefault(worker, set()).add(key)

    def take(self, worker: str) -> tuple[str, list[Run]] | None:
        """The program that the worker should go on with, and the runs of it that wait."""
        left = {key: len(runs) for key, runs in self._waiting.items()}
        key = choose(left, self._own.get(worker, ()), self._begun)
        return None if key is None else (key, self._waiting[key])

    def forget(self, worker: str) -> None:
        """After a worker was lost: whoever takes its name has compiled nothing."""
        self._own.pop(worker, None)

    def put_back(self, key: str, run: Run) -> None:
        """A run that is to be tried again, before all others of its program."""
        self._waiting[key].insert(0, run)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
