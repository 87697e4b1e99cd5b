"""Runs in this process: no worker to start, and none that could be stopped."""

import threading
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from landscape import config
from landscape.config import AcrossSettings, Run
from landscape.errors import StorageError, UserError, first_line
from landscape.numerics.compiling import concurrency, keep_compiled, use_all_cores
from landscape.numerics.point_width import seeds_together
from landscape.run.perform import perform, train_together
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.progress import ABANDONED, Progress
from landscape.storage import store
from landscape.sweep.executors.affinity_queue import grouped
from landscape.sweep.executors.events import Ended, Event, Note, Started

_WORKER = "this process"
_GLANCE = 0.5  # seconds between two looks at whether to stop


class Serial:
    """The executor for one job."""

    def __init__(self, together: int | str = 1) -> None:
        use_all_cores()
        keep_compiled()
        self.workshop = ProgramCache()
        self._together = together

    def prepare(self, runs: Sequence[Run], stop: threading.Event) -> Generator[Note, None, int]:
        """Builds and checks all programs; returns how many. UserError with every mistake."""
        yield from ()
        prepare(runs, self.workshop)
        return len({self.workshop.key(run) for run in runs})

    def perform(
        self, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> Iterator[Event]:
        """Performs all runs, see `perform_all`."""
        together = seeds_together(self._together)
        return perform_all(runs, directory, self.workshop, together, stop)

    def across(
        self, asked: AcrossSettings, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> bool:
        """Measures between runs; False where that was done before."""
        from landscape.run import cross_run

        return cross_run.measure(asked, runs, directory, self.workshop)

    def close(self) -> None:
        """There is nothing to give back."""


def perform_all(
    runs: Sequence[Run],
    directory: Path,
    workshop: ProgramCache,
    together: int = 1,
    stop: threading.Event | None = None,
) -> Iterator[Event]:
    """Performs all runs, and tells of each when it begins and when it has ended.

    On a CPU two runs are under way at a time: one compiles or writes while the other computes. The
    first run of a program compiles it for all others, which wait for it, so that nothing is
    compiled twice; the very first one is alone, since it compiles what all programs use.

    `together`: how many runs of one program are trained side by side before each is measured.
    After `stop` is set no further run is begun.

    A run that raises costs only itself: its traceback is stored and the others go on. Mistakes
    that can be known before are for `workshop.prepare` to find, with the same workshop.
    StorageError where results cannot be written.
    """
    stop = stop or threading.Event()
    groups = list(grouped(runs, {run.id: _key(run, workshop) for run in runs}).values())
    if together > 1:
        for group in groups:
            new = untrained(group, directory)
            if len(new) > 1 and not stop.is_set():
                yield Note(f"training {len(new)} runs side by side, {together} at a time")
                train_side_by_side(new, directory, workshop, together, stop)
    followers = {first.id: rest for first, *rest in groups}
    waiting = [group[0] for group in groups]
    number, begun = concurrency(), 0
    pool, waits = ThreadPoolExecutor(number), True
    ABANDONED.clear()
    try:
        under_way: dict = {}
        while True:
            # Until the very first run has ended it is alone.
            while waiting and len(under_way) < (number if begun > len(under_way) else 1):
                if stop.is_set():
                    break
                run, begun = waiting.pop(0), begun + 1
                yield Started(run, _WORKER)
                under_way[pool.submit(perform_one, run, directory, workshop)] = run
            if not under_way:
                break
            for future in wait(under_way, _GLANCE, FIRST_COMPLETED).done:
                run = under_way.pop(future)
                yield future.result()
                waiting += followers.pop(run.id, [])
    except BaseException:
        # Who has asked to stop before must not wait for what cannot be stopped; who asks for the
        # first time waits until the runs in hand come to the end of a piece.
        waits = not stop.is_set()
        ABANDONED.set()
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)


def _key(run: Run, workshop: ProgramCache) -> str:
    try:
        return workshop.key(run)
    except UserError:  # told when the run itself is performed
        return run.id


def untrained(runs: Sequence[Run], directory: Path) -> list[Run]:
    """The runs of which nothing is there."""
    return [r for r in runs if store.read_status(store.run_folder(directory, r.id)) is None]


def train_side_by_side(
    runs: Sequence[Run],
    directory: Path,
    workshop: ProgramCache,
    count: int,
    stop: threading.Event | None = None,
) -> None:
    """Leaves what it cannot train side by side to each run, and says why in their logs."""
    for start in range(0, len(runs), count):
        some = runs[start : start + count]
        if stop is not None and stop.is_set():
            return
        if len(some) > 1:
            try:
                train_together(some, directory, workshop)
            except StorageError:
                raise
            except Exception as error:
                for run in some:
                    folder = store.run_folder(directory, run.id)
                    store.append_log(folder, f"trained by itself instead: {first_line(error)}")


def perform_one(run: Run, directory: Path, workshop: ProgramCache, worker: str = _WORKER) -> Ended:
    """Performs a run; one that raises has failed. StorageError where nothing can be written."""
    folder, clock = store.run_folder(directory, run.id), time.perf_counter()
    progress = Progress(folder, worker)
    try:
        status = perform(run, folder, workshop, progress)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:
        status = "failed"
        explanation = _trace(error)
        store.append_log(folder, explanation.rstrip())
        store.write_failure(folder, config.dump(run), explanation)
    progress.end(status)
    return Ended(run, status, time.perf_counter() - clock)


def _trace(error: BaseException) -> str:
    """The traceback, ending with the error itself rather than jax's note on hidden frames."""
    text = "".join(traceback.format_exception(error))
    return text.split("\n--------------------\nFor simplicity, JAX")[0].rstrip() + "\n"
