"""Dispatches tasks to workers that may crash and yields their outcomes."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, NamedTuple

from landscape.config import Run
from landscape.sweep.executors.protocol import Note, Slot

_POLL = 0.1  # seconds between two checks of the time limits and of whether to stop
_GRACE = 1.0  # seconds that a pool has to report the death of a worker by itself
_PATIENCE = 20.0  # seconds without any worker before the user is informed
_PATIENCE_GROWTH = 3  # by this factor later for each further message


class Task(NamedTuple):
    """A call for a worker; `runs` are those it is for, `key` their program, `seconds` its limit."""

    function: Callable
    arguments: tuple
    runs: Sequence[Run]
    key: str
    seconds: float | None


class Begun(NamedTuple):
    """A worker starts a task."""

    slot: Slot
    task: Task


class Outcome(NamedTuple):
    """The outcome of a task.

    `lost` is the reason if its worker died; otherwise `value` is what the task returned or raised.
    """

    slot: Slot
    task: Task
    value: Any
    lost: str | None
    seconds: float


def dispatch(
    slots: Sequence[Slot],
    next_task: Callable[[Slot], Task | None],
    remaining: Callable[[], bool],
    stop: threading.Event,
) -> Iterator[Begun | Outcome | Note]:
    """Gives each idle worker its next task while any are `remaining`, until `stop` is set.

    Outcomes are yielded before the next task is requested, so that a caller can requeue a task.
    """
    busy: dict[Future, tuple[Slot, Task, float]] = {}
    waiting_since, patience = time.monotonic(), _PATIENCE
    while True:
        working = {slot.name for slot, _, _ in busy.values()}
        idle = [slot for slot in slots if slot.name not in working and not stop.is_set()]
        ready = [slot for slot in idle if slot.ready()]
        for slot in ready:
            task = next_task(slot)
            if task is not None:
                yield Begun(slot, task)
                future = slot.start(task.function, *task.arguments)
                busy[future] = slot, task, time.monotonic()
        if busy or ready:
            waiting_since, patience = time.monotonic(), _PATIENCE
        elif idle and time.monotonic() - waiting_since > patience:
            yield Note(f"no worker for {patience:.0f} s: waiting for {idle[0].waiting_for()}")
            patience *= _PATIENCE_GROWTH
        if not busy and (stop.is_set() or not remaining()):
            return
        if not busy:
            time.sleep(_POLL)
        done = wait(busy, _POLL, FIRST_COMPLETED).done if busy else ()
        for future in done:
            slot, task, began = busy.pop(future)
            value, lost = _result(slot, future)
            if lost:
                slot.stop()
            yield Outcome(slot, task, value, lost, time.monotonic() - began)
        for future, (slot, task, began) in list(busy.items()):
            seconds = time.monotonic() - began
            late = task.seconds is not None and seconds > task.seconds
            lost = "time limit" if late else _unreported_death(slot, future)
            lost = "memory limit" if not lost and slot.over_memory_limit() else lost
            if lost and not future.done():
                del busy[future]
                slot.stop()
                yield Outcome(slot, task, None, lost, seconds)


def _unreported_death(slot: Slot, future: Future) -> str | None:
    """Describes how a worker died if its pool does not report it, as after `os._exit(0)`."""
    if slot.death():
        wait([future], _GRACE)
    return None if future.done() else slot.death()


def _result(slot: Slot, future: Future) -> tuple[Any, str | None]:
    error = future.exception()
    if error is None:
        return future.result(), None
    reason = slot.why_failed(error)
    if isinstance(reason, KeyboardInterrupt):  # by a loss: workers themselves ignore Ctrl-C
        reason = "KeyboardInterrupt raised"
    return (None, reason) if isinstance(reason, str) else (reason, None)
