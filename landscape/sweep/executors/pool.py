"""An executor that hands runs to workers: what is lost is tried again, then recorded."""

import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from landscape import config
from landscape.config import AcrossSettings, Run
from landscape.errors import UserError, raise_all
from landscape.run import traced_options
from landscape.run.plan import finished
from landscape.storage import store
from landscape.sweep.executors import worker
from landscape.sweep.executors.affinity_queue import Queue, grouped
from landscape.sweep.executors.dispatch import Begun, Outcome, Slot, Task, dispatch
from landscape.sweep.executors.events import Ended, Event, Lost, Note, Started


class Limits(NamedTuple):
    """What a run may take: seconds, and how often it is tried again after its worker was lost."""

    seconds: float | None
    retries: int


class WorkerPool:
    """Workers, each in its slot, and which programs each has compiled."""

    def __init__(self, slots: Sequence[Slot], limits: Limits) -> None:
        self._slots, self._limits = slots, limits
        self._keys: dict[str, str] = {}
        self._known: dict[str, set[str]] = {}
        self._together = 1

    def prepare(self, runs: Sequence[Run], stop: threading.Event) -> Generator[Note, None, int]:
        """Has the workers build and check all programs; returns how many.

        UserError with every mistake in them. A program whose worker is lost is left to its runs.
        """
        cheap = {run.id: traced_options.structure(run, {}) for run in runs}
        groups = list(grouped(runs, cheap).items())
        errors: list[UserError] = []

        def ask(slot: Slot) -> Task | None:
            if not groups:
                return None
            key, some = groups.pop(0)
            return Task(worker.prepare, (some,), some, key, self._limits.seconds)

        for told in dispatch(self._slots, ask, lambda: bool(groups), stop):
            if isinstance(told, Note):
                yield told
            if not isinstance(told, Outcome):
                continue
            outcome = _settled(told)
            if outcome.lost:
                self._known.pop(outcome.slot.name, None)
                self._keys |= {run.id: outcome.task.key for run in outcome.task.about}
            elif isinstance(outcome.value, UserError):
                errors.append(outcome.value)
            elif isinstance(outcome.value, BaseException):
                raise outcome.value
            else:
                self._keys |= outcome.value.keys
                self._together = outcome.value.together
                self._known.setdefault(outcome.slot.name, set()).update(outcome.value.keys.values())
        raise_all(errors)
        return len(set(self._keys.values()))

    def perform(
        self, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> Iterator[Event]:
        """Performs all runs that `prepare` has prepared; tells of each when it begins and ends.

        After `stop` is set no further run is begun. StorageError where results cannot be written.
        """
        directory = directory.absolute()  # a worker may have another current folder
        work = _Work(grouped(runs, self._keys), directory, self._limits.seconds, self._together)
        for name, keys in self._known.items():
            for key in keys:
                work.queue.begin(name, key)
        for told in dispatch(self._slots, work.take, lambda: len(work.queue) > 0, stop):
            if isinstance(told, Note):
                yield told
            elif isinstance(told, Begun):
                if told.task.function is worker.perform:
                    yield Started(told.task.about[0], told.slot.name)
            else:
                outcome = _settled(told)
                if isinstance(outcome.value, BaseException):
                    raise outcome.value
                if outcome.lost is not None:
                    work.queue.forget(outcome.slot.name)
                if outcome.task.function is worker.perform:
                    yield self._ended(outcome, work)
                else:
                    yield from _trained(outcome, work)

    def _ended(self, outcome: Outcome, work: "_Work") -> Event:
        """Records what became of a run; one that was lost waits again, while it may."""
        (run,), lost = outcome.task.about, outcome.lost
        folder = store.run_folder(work.directory, run.id)
        # It may have been lost when everything of the run was written.
        status = outcome.value if lost is None else finished(run, folder)
        if status is not None:
            return Ended(run, status, outcome.seconds)
        assert lost is not None
        store.append_log(folder, f"the worker was lost: {lost}")
        work.attempts[run.id] += 1
        if work.attempts[run.id] <= self._limits.retries:
            store.clear_progress(folder)
            work.queue.put_back(outcome.task.key, run)
            return Lost(run, outcome.slot.name, lost)
        _record(run, folder, lost, work.attempts[run.id])
        return Ended(run, "failed", outcome.seconds)

    def across(
        self, asked: AcrossSettings, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> bool:
        """Has a worker measure between runs; False where that was done before."""
        tasks = [Task(worker.across, (asked, runs, directory.absolute()), [], "", None)]

        def ask(slot: Slot) -> Task | None:
            return tasks.pop() if tasks else None

        told = dispatch(self._slots, ask, lambda: bool(tasks), stop)
        found = [outcome for outcome in told if isinstance(outcome, Outcome)]
        if not found:  # it was stopped before a worker was there
            return False
        (outcome,) = found
        if outcome.lost:
            raise UserError(
                f"what lies across runs could not be measured: the worker was lost ({outcome.lost})"
            )
        if isinstance(outcome.value, BaseException):
            raise outcome.value
        return outcome.value

    def close(self) -> None:
        """Ends all workers."""
        for slot in self._slots:
            slot.stop()


class _Work:
    """What is left to do of a sweep, as tasks: seeds that train side by side come first."""

    def __init__(
        self,
        groups: Mapping[str, Sequence[Run]],
        directory: Path,
        seconds: float | None,
        together: int,
    ) -> None:
        self.queue, self.directory = Queue(groups), directory
        self.attempts: Counter[str] = Counter()
        self._seconds, self._together = seconds, together
        beside = groups if together > 1 else {}
        self._untrained = {key: {run.id for run in runs} for key, runs in beside.items()}

    def take(self, slot: Slot) -> Task | None:
        """The next task for a worker; None where none is left."""
        found = self.queue.take(slot.name)
        if found is None:
            return None
        key, waiting = found
        self.queue.begin(slot.name, key)
        untrained = self._untrained.get(key, set())
        some = [run for run in waiting if run.id in untrained][: self._together]
        untrained -= {run.id for run in some}
        if len(some) > 1:  # nobody else may take them until they are trained
            waiting[:] = [run for run in waiting if run not in some]
            seconds = self._seconds and self._seconds * len(some)
            return Task(worker.train_together, (some, self.directory), some, key, seconds)
        run = waiting.pop(0)
        arguments = (run, self.directory, slot.name)
        return Task(worker.perform, arguments, [run], key, self._seconds)


def _trained(outcome: Outcome, work: _Work) -> Iterator[Note]:
    """Has runs that were trained side by side wait to be measured, or to be trained alone."""
    runs = outcome.task.about
    for run in reversed(runs):
        work.queue.put_back(outcome.task.key, run)
    if outcome.lost is not None:
        several = f"{outcome.slot.name} lost {len(runs)} runs that it trained side by side"
        yield Note(f"{several}: {outcome.lost}; each is trained by itself")


def _settled(outcome: Outcome) -> Outcome:
    """As if the worker was lost, where a loss raised KeyboardInterrupt: a worker ignores Ctrl-C."""
    if isinstance(outcome.value, KeyboardInterrupt):
        return outcome._replace(value=None, lost="KeyboardInterrupt raised")
    return outcome


def _record(run: Run, folder: Path, reason: str, attempts: int) -> None:
    """A run that failed with its worker: why, how far it had come, and what it printed last."""
    reached = store.read_progress(folder)
    text = f"{reason}: the worker was lost {attempts} times" if attempts > 1 else reason
    if reached.get("stage"):
        text += f", last in the stage {reached['stage']}"
    if reached.get("step") is not None:
        text += f" at step {reached['step']} of {reached['steps']}"
    tail = store.read_log(folder)[-30:]
    store.clear_progress(folder)
    store.write_failure(folder, config.dump(run), "\n".join([*tail, text]) + "\n", reason)
