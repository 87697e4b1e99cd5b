"""Hands runs to workers that may die: what is lost is tried again, then recorded."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from landscape import config, numbers, store
from landscape.config import Across, Run
from landscape.errors import UserError, raise_all
from landscape.executors import worker
from landscape.executors.events import Ended, Event, Lost, Note, Started
from landscape.executors.queue import Queue, grouped
from landscape.plan import finished

_GLANCE = 0.1  # seconds between two looks at time limits, and at whether to stop
_GRACE = 1.0  # seconds in which an executor says by itself that a worker has ended
_PATIENCE = 20.0  # seconds that workers may take to start before somebody is told


class Limits(NamedTuple):
    """What a run may take: seconds, and how often it is tried again after its worker was lost."""

    seconds: float | None
    retries: int


class Slot(Protocol):
    """The place of one worker, which is replaced when it is lost."""

    name: str

    def ready(self) -> bool:
        """Whether a task that is started now begins at once."""

    def start(self, function: Callable, *arguments: Any) -> Future:
        """Has the worker call a function of `worker`."""

    def stop(self) -> None:
        """Ends the worker at once, whatever it does; the next task gets a fresh one."""

    def overdrawn(self) -> bool:
        """Whether the worker takes more memory than it may, as far as its parent can see."""

    def dead(self) -> str | None:
        """How the worker has ended, in a few words; None while it lives."""

    def lost(self, error: BaseException) -> str | None:
        """Why the worker was lost, in a few words; None for an error of the task itself."""


class Task(NamedTuple):
    """What a worker is asked to do; `about` says for which runs, by the program `key`."""

    function: Callable
    arguments: tuple
    about: Sequence[Run]
    key: str
    seconds: float | None


class Outcome(NamedTuple):
    """What became of a task: `lost` says why its worker was, `value` what it returned."""

    slot: Slot
    task: Task
    value: Any
    lost: str | None
    seconds: float


class Crew:
    """An executor that hands runs to workers."""

    def __init__(self, slots: Sequence[Slot], limits: Limits) -> None:
        self._slots, self._limits = slots, limits
        self._keys: dict[str, str] = {}
        self._known: dict[str, set[str]] = {}
        self._together = 1

    def prepare(self, runs: Sequence[Run], stop: threading.Event) -> Generator[Note, None, int]:
        """Has the workers build and check all programs; returns how many.

        UserError with every mistake in them. A program whose worker is lost is left to its runs.
        """
        cheap = {run.id: numbers.structure(run, {}) for run in runs}
        groups = list(grouped(runs, cheap).items())
        errors: list[UserError] = []

        def ask(slot: Slot) -> Task | None:
            if not groups:
                return None
            key, some = groups.pop(0)
            return Task(worker.prepare, (some,), some, key, self._limits.seconds)

        for outcome in self._perform(ask, lambda: bool(groups), stop):
            if isinstance(outcome, Note):
                yield outcome
            elif outcome.lost or isinstance(outcome.value, KeyboardInterrupt):
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
        groups = grouped(runs, self._keys)
        queue = Queue(groups)
        for name, keys in self._known.items():
            for key in keys:
                queue.begin(name, key)
        yet = {key: set() if self._together < 2 else {r.id for r in groups[key]} for key in groups}
        attempts: dict[str, int] = {}
        told: list[Event] = []

        def ask(slot: Slot) -> Task | None:
            found = queue.take(slot.name)
            if found is None:
                return None
            key, waiting = found
            queue.begin(slot.name, key)
            if yet[key]:
                some = [run for run in waiting if run.id in yet[key]][: self._together]
                yet[key] -= {run.id for run in some}
                if len(some) > 1:
                    limit = self._limits.seconds and self._limits.seconds * len(some)
                    return Task(worker.train_together, (some, directory), some, key, limit)
            run = waiting.pop(0)
            told.append(Started(run, slot.name))
            arguments = (run, directory, slot.name)
            return Task(worker.perform, arguments, [run], key, self._limits.seconds)

        for outcome in self._perform(ask, lambda: len(queue) > 0, stop, told):
            if isinstance(outcome, Started | Note):
                yield outcome
                continue
            slot, task, value, lost, seconds = outcome
            if isinstance(value, KeyboardInterrupt):  # raised by a loss: a worker ignores Ctrl-C
                value, lost = None, "KeyboardInterrupt raised"
            if isinstance(value, BaseException):
                raise value
            if lost is not None:
                queue.forget(slot.name)
            if task.function is not worker.perform:
                continue
            (run,) = task.about
            folder = store.run_folder(directory, run.id)
            # It may have been lost when everything of the run was written.
            status = value if lost is None else finished(run, folder)
            if status is not None:
                yield Ended(run, status, seconds)
                continue
            store.append_log(folder, f"the worker was lost: {lost}")
            attempts[run.id] = attempts.get(run.id, 0) + 1
            if attempts[run.id] <= self._limits.retries:
                store.clear_progress(folder)
                queue.put_back(task.key, run)
                yield Lost(run, slot.name, lost)
            else:
                _record(run, folder, lost, attempts[run.id])
                yield Ended(run, "failed", seconds)

    def across(
        self, asked: Across, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> bool:
        """Has a worker measure between runs; False where that was done before."""
        tasks = [Task(worker.across, (asked, runs, directory.absolute()), [], "", None)]

        def ask(slot: Slot) -> Task | None:
            return tasks.pop() if tasks else None

        outcomes = [*self._perform(ask, lambda: bool(tasks), stop)]
        found = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
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

    def _perform(
        self,
        ask: Callable[[Slot], Task | None],
        left: Callable[[], bool],
        stop: threading.Event,
        told: list[Event] | None = None,
    ) -> Iterator[Any]:
        """Gives each idle worker what it is asked to do, while anything is `left`.

        Yields what became of it; an error of the task itself is its value. `told` are events that
        `ask` has to tell.
        """
        told = [] if told is None else told
        busy: dict[Future, tuple[Slot, Task, float]] = {}
        waiting_since: float | None = time.monotonic()
        while True:
            idle = [s for s in self._slots if s.name not in {b[0].name for b in busy.values()}]
            idle = [] if stop.is_set() else idle
            ready = [slot for slot in idle if slot.ready()]
            for slot in ready:
                task = ask(slot)
                yield from told
                told.clear()
                if task is not None:
                    future = slot.start(task.function, *task.arguments)
                    busy[future] = slot, task, time.monotonic()
            if busy or ready:
                waiting_since = None
            elif waiting_since and time.monotonic() - waiting_since > _PATIENCE:
                waiting_since = None
                yield Note("waiting for a worker: no machine has what a run asks for yet")
            if not busy and (stop.is_set() or not left()):
                return
            if not busy:
                time.sleep(_GLANCE)
            done = wait(busy, _GLANCE, FIRST_COMPLETED).done if busy else ()
            for future in done:
                slot, task, began = busy.pop(future)
                value, lost = _result(slot, future)
                if lost:
                    slot.stop()
                yield Outcome(slot, task, value, lost, time.monotonic() - began)
            for future, (slot, task, began) in list(busy.items()):
                seconds = time.monotonic() - began
                late = task.seconds is not None and seconds > task.seconds
                lost = "time limit" if late else _silent(slot, future)
                lost = "memory limit" if not lost and slot.overdrawn() else lost
                if lost and not future.done():
                    del busy[future]
                    slot.stop()
                    yield Outcome(slot, task, None, lost, seconds)


def _silent(slot: Slot, future: Future) -> str | None:
    """How a worker ended of which its executor says nothing, as after `os._exit(0)`."""
    if slot.dead():
        wait([future], _GRACE)
    return None if future.done() else slot.dead()


def _result(slot: Slot, future: Future) -> tuple[Any, str | None]:
    error = future.exception()
    if error is None:
        return future.result(), None
    lost = slot.lost(error)
    return (None, lost) if lost else (error, None)


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
