"""What an executor is, the events that it yields, and the slots of its workers."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future

    from landscape.config import AcrossSettings, Run
    from landscape.run.trainability_maps import MapRequest

EXECUTORS = ("serial", "processes", "ray")


class ExecutorSpec(NamedTuple):
    """Which executor, with how many workers; `address` is that of a Ray cluster."""

    executor: Literal["serial", "processes", "ray"]
    jobs: int | None
    address: str | None

    @property
    def workers(self) -> str:
        """The number and place of the workers, in words."""
        if self.executor == "serial":
            return "in this process"
        number = "as many workers as fit" if self.jobs is None else f"{self.jobs} workers"
        if self.jobs == 1:
            number = "1 worker"
        place = "" if self.executor == "processes" else f" on {self.address or 'a local cluster'}"
        return f"{number}{place}"


class Prepared(NamedTuple):
    """All programs are built and checked; `programs` is their number."""

    programs: int


class Started(NamedTuple):
    """A worker has begun a run."""

    run: "Run"
    worker: str


class Ended(NamedTuple):
    """A run has ended after `seconds`; its status is `done`, `diverged` or `failed`."""

    run: "Run"
    status: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.run.id} {self.status} {self.seconds:.1f} s"


class Lost(NamedTuple):
    """A worker died during a run, which is tried again.

    `shared`: whether the program of the run had other losses, any of which may be the cause.
    """

    run: "Run"
    worker: str
    reason: str
    shared: bool = False

    def __str__(self) -> str:
        text = f"{self.worker} lost {self.run.id}: {self.reason}; retrying the run"
        return f"{text} without the other losses, which may be the cause" if self.shared else text


class Note(NamedTuple):
    """A message for the user, such as that no worker is free yet."""

    text: str

    def __str__(self) -> str:
        return self.text


Event = Prepared | Started | Ended | Lost | Note


class Executor(Protocol):
    """Prepares runs, performs them, and measures across them."""

    def prepare(self, runs: "Sequence[Run]", stop: threading.Event) -> Iterator[Event]:
        """Builds and checks all programs; the last event is `Prepared`.

        Raises UserError that lists every mistake in the runs.
        """

    def perform(
        self, runs: "Sequence[Run]", directory: Path, stop: threading.Event
    ) -> Iterator[Event]:
        """Performs all runs and yields an event when each starts and ends.

        No further run starts once `stop` is set. Raises StorageError if results cannot be written.
        """

    def measure_across(
        self,
        settings: "AcrossSettings",
        runs: "Sequence[Run]",
        directory: Path,
        stop: threading.Event,
    ) -> bool:
        """Measures across runs; returns False if that was already done."""

    def measure_maps(
        self, requests: "Sequence[MapRequest]", directory: Path, stop: threading.Event
    ) -> bool:
        """Measures trainability maps; returns False if none was missing or `stop` is set."""

    def close(self) -> None:
        """Ends all workers."""


class Slot(Protocol):
    """The place of one worker, which is replaced when it dies."""

    name: str

    def ready(self) -> bool:
        """Returns whether a task would start immediately."""

    def waiting_for(self) -> str:
        """Describes in a few words what a slot that is not ready waits for."""

    def start(self, function: Callable, *arguments: Any) -> "Future":
        """Calls a function of `worker` in the worker."""

    def stop(self) -> None:
        """Ends the worker immediately; the next task gets a new one."""

    def over_memory_limit(self) -> bool:
        """Returns whether the worker exceeds its memory limit, as far as its parent can see."""

    def death(self) -> str | None:
        """Describes how the worker died in a few words; None while it lives."""

    def why_failed(self, error: BaseException) -> str | BaseException:
        """Describes in a few words why the worker died, or returns what the task itself raised."""
