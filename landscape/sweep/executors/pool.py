"""The executor that hands runs to workers: retries lost runs, then records them as failed."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landscape import config
from landscape.config import AcrossSettings, Run
from landscape.errors import UserError, raise_all
from landscape.run import traced_options
from landscape.run.plan import finished
from landscape.storage import store
from landscape.sweep.executors import worker
from landscape.sweep.executors.affinity_queue import AffinityQueue, grouped
from landscape.sweep.executors.dispatch import Begun, Outcome, Task, dispatch
from landscape.sweep.executors.protocol import Ended, Event, Lost, Note, Prepared, Slot, Started

if TYPE_CHECKING:
    from landscape.run.trainability_maps import MapRequest


class WorkerPool:
    """Workers, each in its slot.

    `time_limit`: the most seconds of a run. `retries`: how often it is retried after its worker
    died; an attempt in a program for several losses is not counted.
    """

    def __init__(self, slots: Sequence[Slot], time_limit: float | None, retries: int) -> None:
        self._slots, self._time_limit, self._retries = slots, time_limit, retries
        self._keys: dict[str, str] = {}
        self._structures: dict[str, str] = {}
        # One run of each loss that the programs are compiled for, by program and structure.
        self._compiled: dict[str, dict[str, Run]] = {}
        self._separated: set[str] = set()
        self._together = 1

    def prepare(self, runs: Sequence[Run], stop: threading.Event) -> Iterator[Event]:
        """Builds and checks all programs in the workers; the last event is `Prepared`.

        Raises UserError that lists every mistake. If a worker dies while it prepares a program, the
        runs of that program are left to fail by themselves.
        """
        without_tracing = {run.id: traced_options.program_key(run, {}) for run in runs}
        groups = list(grouped(runs, without_tracing).items())
        errors: list[UserError] = []

        def next_task(slot: Slot) -> Task | None:
            if not groups:
                return None
            key, group = groups.pop(0)
            return Task(worker.prepare, (group,), group, key, self._time_limit)

        for item in dispatch(self._slots, next_task, lambda: bool(groups), stop):
            if isinstance(item, Note):
                yield item
            if not isinstance(item, Outcome):
                continue
            if item.lost:
                alone = {run.id: item.task.key for run in item.task.runs}
                self._keys |= alone
                self._structures |= alone
            elif isinstance(item.value, UserError):
                errors.append(item.value)
            elif isinstance(item.value, BaseException):
                raise item.value
            else:
                keys, structures, self._together = item.value
                self._keys |= keys
                self._structures |= structures
        raise_all(errors)
        yield Prepared(len(set(self._keys.values())))

    def perform(
        self, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> Iterator[Event]:
        """Performs all runs that `prepare` has prepared; yields an event when each starts and ends.

        No further run starts once `stop` is set. Raises StorageError if results cannot be written.
        """
        directory = directory.absolute()  # a worker may have another current folder
        groups = grouped(runs, self._keys)
        for key, group in groups.items():
            compiled = self._compiled.setdefault(key, {})
            for run in group:
                compiled.setdefault(self._structures[run.id], run)
        losses = {key: [*self._compiled[key].values()] for key in groups}
        tasks = _TaskQueue(
            groups,
            self._structures,
            losses,
            self._separated,
            directory,
            self._time_limit,
            self._together,
        )
        for item in dispatch(self._slots, tasks.next, lambda: len(tasks.waiting) > 0, stop):
            if isinstance(item, Note):
                yield item
            elif isinstance(item, Begun):
                if item.task.function is worker.perform:
                    yield Started(item.task.runs[0], item.slot.name)
            elif isinstance(item.value, BaseException):
                raise item.value
            else:
                if item.lost is not None:
                    tasks.waiting.forget(item.slot.name)
                if item.task.function is worker.perform:
                    yield self._ended(item, tasks)
                else:
                    yield from _trained(item, tasks)

    def _ended(self, outcome: Outcome, tasks: "_TaskQueue") -> Event:
        """Records the outcome of a run; a lost run is requeued while retries remain."""
        (run,), lost = outcome.task.runs, outcome.lost
        folder = store.run_folder(tasks.directory, run.id)
        # The worker may have died after it wrote everything.
        status = outcome.value if lost is None else finished(run, folder)
        if status is not None:
            return Ended(run, status, outcome.seconds)
        assert lost is not None
        shared = tasks.separate(outcome.task)
        cause = "; another loss in the same program may be the cause" if shared else ""
        store.append_log(folder, f"the worker was lost: {lost}{cause}")
        tasks.attempts[run.id] += not shared
        if tasks.attempts[run.id] <= self._retries:
            store.clear_progress(folder)
            tasks.waiting.put_back(outcome.task.key, run)
            return Lost(run, outcome.slot.name, lost, shared)
        _record_failure(run, folder, lost, tasks.attempts[run.id])
        return Ended(run, "failed", outcome.seconds)

    def measure_across(
        self, settings: AcrossSettings, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> bool:
        """Measures across runs in a worker; returns False if that was already done."""
        arguments = (settings, runs, directory.absolute())
        return self._measure("measuring across runs", worker.measure_across, arguments, stop)

    def measure_maps(
        self, requests: "Sequence[MapRequest]", directory: Path, stop: threading.Event
    ) -> bool:
        """Measures trainability maps in a worker; returns False if none was missing."""
        arguments = (requests, directory.absolute())
        return self._measure("mapping", worker.measure_maps, arguments, stop)

    def _measure(
        self, name: str, function: Callable[..., bool], arguments: tuple, stop: threading.Event
    ) -> bool:
        """Returns what a function returns in a worker; False if it was stopped before."""
        tasks = [Task(function, arguments, [], "", None)]

        def next_task(slot: Slot) -> Task | None:
            return tasks.pop() if tasks else None

        items = dispatch(self._slots, next_task, lambda: bool(tasks), stop)
        outcomes = [item for item in items if isinstance(item, Outcome)]
        if not outcomes:  # stopped before a worker was ready
            return False
        (outcome,) = outcomes
        if outcome.lost:
            raise UserError(f"{name} failed: the worker was lost ({outcome.lost})")
        if isinstance(outcome.value, BaseException):
            raise outcome.value
        return outcome.value

    def close(self) -> None:
        """Ends all workers."""
        for slot in self._slots:
            slot.stop()


class _TaskQueue:
    """The remaining tasks of a sweep; seeds that train side by side come first."""

    def __init__(
        self,
        groups: Mapping[str, Sequence[Run]],
        structures: Mapping[str, str],
        losses: Mapping[str, list[Run]],
        separated: set[str],
        directory: Path,
        seconds: float | None,
        together: int,
    ) -> None:
        self.waiting, self.directory = AffinityQueue(groups), directory
        self.attempts: Counter[str] = Counter()
        self._seconds, self._together = seconds, together
        self._separated = separated
        side_by_side = groups if together > 1 else {}
        self._untrained = {key: {run.id for run in runs} for key, runs in side_by_side.items()}
        self._structures = structures
        self._compiled_together = losses

    def next(self, slot: Slot) -> Task | None:
        """Returns the next task for a worker; None if none is left."""
        program = self.waiting.take(slot.name)
        if program is None:
            return None
        key, runs = program
        untrained = self._untrained.get(key, set())
        waiting = [run for run in runs if run.id in untrained]
        same = [run for run in waiting if self._structure(run) == self._structure(waiting[0])]
        batch = same[: self._together]
        untrained -= {run.id for run in batch}
        if len(batch) > 1:  # other workers must not take these runs until they are trained
            runs[:] = [run for run in runs if run not in batch]
            seconds = self._seconds and self._seconds * len(batch)
            batch_arguments = (batch, self.directory, self._losses(key, batch[0]))
            return Task(worker.train_together, batch_arguments, batch, key, seconds)
        run = runs.pop(0)
        arguments = (run, self.directory, slot.name, self._losses(key, run))
        return Task(worker.perform, arguments, [run], key, self._seconds)

    def separate(self, task: Task) -> bool:
        """Compiles each loss of a program by itself after a task whose worker died.

        Returns whether the task had several losses: another loss may be why the worker died.
        """
        self._separated.add(task.key)
        return len(task.arguments[-1]) > 1

    def _losses(self, key: str, run: Run) -> list[Run]:
        """Returns one run of each loss that the program of a run is compiled for."""
        return [run] if key in self._separated else self._compiled_together[key]

    def _structure(self, run: Run) -> str:
        return self._structures[run.id]


def _trained(outcome: Outcome, tasks: _TaskQueue) -> Iterator[Note]:
    """Requeues runs that were trained side by side, to be measured or to be trained one by one."""
    runs = outcome.task.runs
    for run in reversed(runs):
        tasks.waiting.put_back(outcome.task.key, run)
    if outcome.lost is not None:
        tasks.separate(outcome.task)
        subject = f"{outcome.slot.name} lost {len(runs)} runs that it trained side by side"
        yield Note(f"{subject}: {outcome.lost}; training them one by one")


def _record_failure(run: Run, folder: Path, reason: str, attempts: int) -> None:
    """Records that a run failed with its worker: the reason, its progress, the end of its log."""
    progress = store.read_progress(folder)
    text = f"{reason}: the worker was lost {attempts} times" if attempts > 1 else reason
    if progress is not None:
        text += f", last in the stage {progress.stage}"
    if progress is not None and progress.step is not None:
        text += f" at step {progress.step} of {progress.steps}"
    tail = store.read_log(folder)[-30:]
    store.clear_progress(folder)
    store.write_failure(folder, config.dump(run), "\n".join([*tail, text]) + "\n", reason)
