"""Who performs runs: this process, processes of this machine, or a Ray cluster.

Whichever it is, a run leaves the same bytes.
"""

import contextlib
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from landscape.errors import UserError, nearest
from landscape.sweep.executors.events import Ended, Event, Lost, Note, Started

if TYPE_CHECKING:
    from landscape.config import AcrossSettings, Experiment, Run

__all__ = ["EXECUTORS", "Ended", "Event", "Executor", "ExecutorSpec", "Lost", "Note", "Started"]

EXECUTORS = ("serial", "processes", "ray")


class Executor(Protocol):
    """Prepares runs, performs them, and measures between them."""

    def prepare(self, runs: "Sequence[Run]", stop: threading.Event) -> Generator[Note, None, int]:
        """Builds and checks all programs; returns how many. UserError with every mistake."""

    def perform(
        self, runs: "Sequence[Run]", directory: Path, stop: threading.Event
    ) -> Iterator[Event]:
        """Performs all runs and tells of each; after `stop` is set none is begun."""

    def across(
        self, asked: "AcrossSettings", runs: "Sequence[Run]", directory: Path, stop: threading.Event
    ) -> bool:
        """Measures between runs; False where that was done before."""

    def close(self) -> None:
        """Ends all workers."""


class ExecutorSpec(NamedTuple):
    """Which executor, with how many workers; `address` is that of a Ray cluster."""

    executor: Literal["serial", "processes", "ray"]
    jobs: int | None
    address: str | None

    @property
    def workers(self) -> str:
        """In words, for a person."""
        if self.executor == "serial":
            return "in this process"
        number = "as many workers as fit" if self.jobs is None else f"{self.jobs} workers"
        if self.jobs == 1:
            number = "1 worker"
        where = "" if self.executor == "processes" else f" on {self.address or 'a local cluster'}"
        return f"{number}{where}"


def choose(
    experiment: "Experiment", executor: str | None, jobs: int | None, address: str | None
) -> ExecutorSpec:
    """The executor that was asked for, else the simplest that can do what the config asks.

    UserError for what does not go together.
    """
    if executor not in (None, *EXECUTORS):
        raise UserError(
            f"there is no executor `{executor}`", hint=nearest(str(executor), EXECUTORS)
        )
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs is {jobs}; at least 1 is needed")
    limits = experiment.execution
    limited = limits.time_limit is not None or limits.memory_limit is not None
    if executor is None:
        executor = "ray" if address else "processes" if limited or (jobs or 1) > 1 else "serial"
    if address and executor != "ray":
        raise UserError("--address is for --executor ray")
    if executor == "serial" and (jobs or 1) > 1:
        raise UserError(
            f"--executor serial has one job, found --jobs {jobs}", hint="use --executor processes"
        )
    if executor == "serial" and limited:
        raise UserError(
            "`execution`: a process cannot stop its own runs, so --executor serial keeps no time "
            "limit and no memory limit",
            hint="leave --executor out, or use --executor processes",
        )
    if executor == "ray":
        return ExecutorSpec("ray", jobs, address)
    if executor == "serial":
        return ExecutorSpec("serial", 1, None)
    return ExecutorSpec("processes", jobs or 1, None)


@contextlib.contextmanager
def started(choice: ExecutorSpec, experiment: "Experiment", directory: Path) -> Iterator[Executor]:
    """The executor that was chosen, for as long as it is needed."""
    limits, together = experiment.execution, experiment.seeds_together
    with contextlib.ExitStack() as stack:
        executor: Executor
        if choice.executor == "serial":
            from landscape.sweep.executors.serial import Serial

            executor = Serial(together)
        else:
            from landscape.sweep.executors.dispatch import Slot
            from landscape.sweep.executors.pool import Limits, WorkerPool

            slots: Sequence[Slot]
            if choice.executor == "processes":
                from landscape.sweep.executors import processes

                slots = processes.slots(choice.jobs or 1, limits.memory_limit, together)
            else:
                from landscape.sweep.executors import ray

                asked = experiment.resources
                slots = stack.enter_context(
                    ray.cluster(choice.address, choice.jobs, limits.memory_limit, together, asked)
                )
                ray.check_shared(directory)
            executor = WorkerPool(slots, Limits(limits.time_limit, limits.retries))
        stack.callback(executor.close)
        yield executor
