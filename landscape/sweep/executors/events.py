"""What an executor tells of the runs in its hands."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from landscape.config import Run


class Started(NamedTuple):
    """A worker has begun a run."""

    run: "Run"
    worker: str


class Ended(NamedTuple):
    """A run has ended, after so many seconds: `done`, `diverged` or `failed`."""

    run: "Run"
    status: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.run.id} {self.status} {self.seconds:.1f} s"


class Lost(NamedTuple):
    """A worker was lost with the run it had in hand, which is tried again."""

    run: "Run"
    worker: str
    reason: str

    def __str__(self) -> str:
        return f"{self.worker} lost {self.run.id}: {self.reason}; it is tried again"


class Note(NamedTuple):
    """Something that a person should know, such as a worker that waits for a machine."""

    text: str

    def __str__(self) -> str:
        return self.text


Event = Started | Ended | Lost | Note
