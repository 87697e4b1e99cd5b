"""Has workers that may die do tasks, and says of each what became of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, NamedTuple, Protocol

from landscape.config import Run
from landscape.sweep.executors.events import Note

_GLANCE = 0.1  # seconds between two looks at time limits, and at whether to stop
_GRACE = 1.0  # seconds in which an executor says by itself that a worker has ended
_PATIENCE = 20.0  # seconds that workers may take to start before somebody is told


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

    def why(self, error: BaseException) -> str | BaseException:
        """Why the worker was lost, in a few words; or what the task itself raised."""


class Task(NamedTuple):
    """What a worker is asked to do; `about` says for which runs, by the program `key`."""

    function: Callable
    arguments: tuple
    about: Sequence[Run]
    key: str
    seconds: float | None


class Begun(NamedTuple):
    """A worker is given a task."""

    slot: Slot
    task: Task


class Outcome(NamedTuple):
    """What became of a task.

    `lost` says why its worker was; otherwise `value` is what the task returned or raised.
    """

    slot: Slot
    task: Task
    value: Any
    lost: str | None
    seconds: float


def dispatch(
    slots: Sequence[Slot],
    ask: Callable[[Slot], Task | None],
    left: Callable[[], bool],
    stop: threading.Event,
) -> Iterator[Begun | Outcome | Note]:
    """Gives each idle worker what `ask` has for it while anything is `left`, until `stop` is set.

    Outcomes are told before the next task is asked for, so that whoever hears of one can put its
    task back.
    """
    busy: dict[Future, tuple[Slot, Task, float]] = {}
    waiting_since: float | None = time.monotonic()
    while True:
        at_work = {slot.name for slot, _, _ in busy.values()}
        idle = [slot for slot in slots if slot.name not in at_work and not stop.is_set()]
        ready = [slot for slot in idle if slot.ready()]
        for slot in ready:
            task = ask(slot)
            if task is not None:
                yield Begun(slot, task)
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
    why = slot.why(error)
    return (None, why) if isinstance(why, str) else (why, None)
