"""What is seen of a sweep while it runs: a live board on a terminal, plain lines elsewhere."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.storage import store
from landscape.sweep.executors import Ended, Event, Lost, Note, Started

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from landscape.config import Run

_REFRESHES = 2  # a second


class Board:
    """Counts what has happened of so many runs, and draws it; those of `training` are trained."""

    def __init__(
        self, console: "Console", directory: Path, total: int, training: Collection[str]
    ) -> None:
        self._console, self._directory, self._total = console, directory, total
        self._training = training
        self._begun = time.monotonic()
        self._running: dict[str, tuple[str, Run]] = {}
        self._ended: dict[str, int] = {}
        self._steps = 0  # of runs that have ended
        self._reached: dict[str, int] = {}  # the step of each run when it was looked at last

    def tell(self, event: Event) -> None:
        """Takes an event in; on a terminal only what went wrong is a line of its own."""
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
                reached, whole = self._reached.pop(run.id, 0), run.id in self._training
                self._steps += run.steps if whole and status == "done" else reached
                if status == "failed":
                    folder = store.run_folder(self._directory, run.id)
                    status = f"failed: {store.why_failed(folder)}"
                if not self._console.is_terminal or status != "done":
                    number = sum(self._ended.values())
                    self._print(f"[{number}/{self._total}] {run.id} {status} {seconds:.1f} s")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draws the board on a terminal until the end, elsewhere nothing."""
        from rich.live import Live

        self._begun = time.monotonic()
        if not self._console.is_terminal:
            yield
            return
        with Live(
            get_renderable=self._drawn,
            console=self._console,
            refresh_per_second=_REFRESHES,
            transient=True,
        ):
            yield

    def _drawn(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        number = sum(self._ended.values())
        found = {
            run_id: store.read_progress(store.run_folder(self._directory, run_id))
            for run_id in list(self._running)
        }
        self._reached = {run_id: int(said.get("step") or 0) for run_id, said in found.items()}
        head = Table.grid(padding=(0, 1))
        head.add_row(
            ProgressBar(self._total, number, width=20),
            Text(f"{number}/{self._total} done"),
            Text(self._counted()),
        )
        workers = Table.grid(padding=(0, 2))
        for run_id, (worker, run) in sorted(self._running.items(), key=lambda item: item[1][0]):
            workers.add_row(
                Text(worker, style="dim"), Text(run.label), Text(at_work(found.get(run_id, {})))
            )
        return Group(head, workers)

    def _counted(self) -> str:
        number, seconds = sum(self._ended.values()), time.monotonic() - self._begun
        words = [f"{len(self._running)} running"]
        words += [f"{self._ended[s]} {s}" for s in ("diverged", "failed") if s in self._ended]
        steps = self._steps + sum(self._reached.values())
        if steps:
            words.append(f"{steps / seconds:,.0f} steps/s")
        if number:
            left = seconds / number * (self._total - number)
            words.append(f"{duration(left)} left")
        return ", ".join(words)


def at_work(progress: Mapping[str, Any]) -> str:
    """What a run does now, in words."""
    stage = str(progress.get("stage") or "starting")
    if stage == "train" and progress.get("step") is None:
        return "compile"
    if progress.get("step") is not None:
        stage += f" {progress['step']}/{progress.get('steps')}"
        if progress.get("steps_per_second"):
            stage += f" {float(progress['steps_per_second']):,.0f} steps/s"
    return stage


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
