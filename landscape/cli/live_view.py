"""The progress of a sweep: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.cli.output import terminal_text
from landscape.errors import printable
from landscape.storage import store
from landscape.sweep.executors.protocol import Ended, Event, Lost, Note, Started

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from landscape.config import Run
    from landscape.storage.records import ProgressRecord

_REFRESHES_PER_SECOND = 2


class LiveView:
    """Counts the events of a sweep of `total` runs and draws the counts.

    `training`: the ids of the runs that are trained, and not only measured. `stage`: the name of
    the stage of which these runs are, empty if there is only one.
    """

    def __init__(
        self,
        console: "Console",
        directory: Path,
        total: int,
        training: Collection[str],
        stage: str = "",
    ) -> None:
        self._console, self._directory, self._total = console, directory, total
        self._training, self._stage = training, f"{stage}: " if stage else ""
        self._began = time.monotonic()
        self._running: dict[str, tuple[str, Run]] = {}
        self._ended: dict[str, int] = {}
        self._ended_steps = 0
        self._current_steps: dict[str, int] = {}  # of each running run, when last drawn

    def update(self, event: Event) -> None:
        """Counts an event; prints a line for it, on a terminal only if something went wrong."""
        match event:
            case Started(run, worker):
                self._running[run.id] = worker, run
            case Lost(run):
                self._running.pop(run.id, None)
                self._print(str(event))
            case Note():
                self._print(str(event))
            case Ended(run, status, seconds):
                self._running.pop(run.id, None)
                self._ended[status] = self._ended.get(status, 0) + 1
                step, trained = self._current_steps.pop(run.id, 0), run.id in self._training
                self._ended_steps += run.steps if trained and status == "done" else step
                if status == "failed":
                    folder = store.run_folder(self._directory, run.id)
                    status = f"failed: {store.why_failed(folder)}"
                if not self._console.is_terminal or status != "done":
                    number = sum(self._ended.values())
                    self._print(f"[{number}/{self._total}] {run.id} {status} {seconds:.1f} s")

    def _print(self, line: str) -> None:
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draws the live view until the end; does nothing without a terminal."""
        from rich.live import Live

        self._began = time.monotonic()
        if not self._console.is_terminal:
            yield
            return
        with Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        ):
            yield

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        number = sum(self._ended.values())
        progress_of = {
            run_id: store.read_progress(store.run_folder(self._directory, run_id))
            for run_id in list(self._running)
        }
        self._current_steps = {
            run_id: progress.step or 0 for run_id, progress in progress_of.items() if progress
        }
        head = Table.grid(padding=(0, 1))
        head.add_row(
            ProgressBar(self._total, number, width=20),
            Text(f"{self._stage}{number}/{self._total} done"),
            Text(self._summary()),
        )
        workers = Table.grid(padding=(0, 2))
        for run_id, (worker, run) in sorted(self._running.items(), key=lambda item: item[1][0]):
            workers.add_row(
                terminal_text(worker, "dim"),
                terminal_text(run.label),
                terminal_text(activity(progress_of.get(run_id))),
            )
        return Group(head, workers)

    def _summary(self) -> str:
        number, seconds = sum(self._ended.values()), time.monotonic() - self._began
        words = [f"{len(self._running)} running"]
        words += [f"{self._ended[s]} {s}" for s in ("diverged", "failed") if s in self._ended]
        steps = self._ended_steps + sum(self._current_steps.values())
        if steps:
            words.append(f"{steps / seconds:,.0f} steps/s")
        if number:
            left = seconds / number * (self._total - number)
            words.append(f"{duration(left)} left")
        return ", ".join(words)


def activity(progress: "ProgressRecord | None") -> str:
    """Describes what a run is doing, such as `train 60/90`."""
    if progress is None:
        return "starting"
    if progress.step is None:
        return "compile" if progress.stage == "train" else progress.stage
    text = f"{progress.stage} {progress.step}/{progress.steps}"
    rate = progress.steps_per_second
    return f"{text} {rate:,.0f} steps/s" if rate else text


def duration(seconds: float) -> str:
    """Returns a duration for people, such as `1 min 05 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
