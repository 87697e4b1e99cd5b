"""The executor `serial`: runs in this process, with no worker to start or to stop."""

import functools
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from landscape import config
from landscape.config import AcrossSettings, Run
from landscape.errors import StorageError, UserError, first_line
from landscape.numerics.compiling import concurrency, keep_compiled, use_all_cores
from landscape.numerics.point_width import seeds_together
from landscape.run import program_cache, trainability_maps
from landscape.run.perform import perform, train_together
from landscape.run.program_cache import ProgramCache
from landscape.run.progress import Cancelled, Progress
from landscape.run.trainability_maps import MapRequest
from landscape.storage import store
from landscape.sweep.executors.affinity_queue import grouped
from landscape.sweep.executors.protocol import Ended, Event, Note, Prepared, Started

_WORKER = "this process"
_POLL = 0.5  # seconds between two checks of whether to stop


class Serial:
    """The executor for one job."""

    def __init__(self, together: int | str = 1, separately: bool = False) -> None:
        use_all_cores()
        keep_compiled()
        self.cache = ProgramCache()
        self._together, self._separately = together, separately

    def prepare(self, runs: Sequence[Run], stop: threading.Event) -> Iterator[Event]:
        """Builds and checks all programs. Raises UserError that lists every mistake."""
        program_cache.prepare(runs, self.cache)
        if self._separately:
            for run in runs:
                self.cache.compile_separately(run)
        yield Prepared(len({self.cache.key(run) for run in runs}))

    def perform(
        self, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> Iterator[Event]:
        """Performs all runs, see `perform_all`."""
        together = seeds_together(self._together)
        return perform_all(runs, directory, self.cache, together, stop)

    def measure_across(
        self, settings: AcrossSettings, runs: Sequence[Run], directory: Path, stop: threading.Event
    ) -> bool:
        """Measures across runs; returns False if that was already done."""
        from landscape.run import cross_run

        return cross_run.measure_across(settings, runs, directory, self.cache)

    def measure_maps(
        self, requests: Sequence[MapRequest], directory: Path, stop: threading.Event
    ) -> bool:
        """Measures trainability maps; returns False if none was missing or `stop` is set."""

        def check(label: str, trained: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled

        try:
            return trainability_maps.measure_maps(requests, directory, self.cache, check)
        except Cancelled:  # finished maps are kept
            return False

    def close(self) -> None:
        """Does nothing, since there are no workers."""


def perform_all(
    runs: Sequence[Run],
    directory: Path,
    cache: ProgramCache,
    together: int = 1,
    stop: threading.Event | None = None,
) -> Iterator[Event]:
    """Performs all runs and yields an event when each starts and ends.

    On a CPU two runs are under way at a time: one compiles or writes while the other computes.
    `together`: how many runs of one program are trained side by side before each is measured.
    No further run starts once `stop` is set.

    A run that raises fails by itself: its traceback is stored and the other runs continue. Mistakes
    that can be found in advance are found by `program_cache.prepare` with the same cache. Raises
    StorageError if results cannot be written.
    """
    stop = stop or threading.Event()
    groups = _groups(runs, cache.key)
    if together > 1:
        for group in _groups(runs, cache.structure):
            new = untrained(group, directory)
            if len(new) > 1 and not stop.is_set():
                yield Note(f"training {len(new)} runs side by side, {together} at a time")
                train_side_by_side(new, directory, cache, together, stop)
    yield from _perform_groups(groups, directory, cache, stop)


def _perform_groups(
    groups: Sequence[Sequence[Run]], directory: Path, cache: ProgramCache, stop: threading.Event
) -> Iterator[Event]:
    """Performs runs in threads; `groups` lists the runs of each program."""
    schedule, cancelled = _Schedule(groups, concurrency()), threading.Event()
    threads, wait_for_threads = ThreadPoolExecutor(concurrency()), True
    futures: dict[Future[Ended], Run] = {}
    try:
        while True:
            while not stop.is_set() and (run := schedule.start_next()) is not None:
                yield Started(run, _WORKER)
                task = functools.partial(perform_one, cancelled=cancelled)
                futures[threads.submit(task, run, directory, cache)] = run
            if not futures:
                return
            for future in wait(futures, _POLL, FIRST_COMPLETED).done:
                run = futures.pop(future)
                yield future.result()
                schedule.end(run)
    except BaseException:
        # After a second interruption, do not wait for threads that cannot be stopped; after the
        # first, wait until the runs under way reach the end of a piece of their training.
        wait_for_threads = not stop.is_set()
        cancelled.set()
        raise
    finally:
        threads.shutdown(wait=wait_for_threads, cancel_futures=True)


class _Schedule:
    """Which run starts next, such that no program is compiled twice.

    The first run of a program compiles it; the other runs of the program wait for that run to end.
    The first run of all has the process to itself, since it compiles what all programs share.
    """

    def __init__(self, groups: Sequence[Sequence[Run]], limit: int) -> None:
        self._waiting = [group[0] for group in groups]
        self._followers = {first.id: rest for first, *rest in groups}
        self._limit, self._running, self._first_ended = limit, 0, False

    def start_next(self) -> Run | None:
        """Returns the run to start now; None if no run is waiting or a running one must end."""
        limit = self._limit if self._first_ended else 1
        if not self._waiting or self._running >= limit:
            return None
        self._running += 1
        return self._waiting.pop(0)

    def end(self, run: Run) -> None:
        """Records that a run has ended, which lets its followers start."""
        self._running -= 1
        self._first_ended = True
        self._waiting += self._followers.pop(run.id, [])


def _groups(runs: Sequence[Run], key_of: Callable[[Run], str]) -> list[list[Run]]:
    def key(run: Run) -> str:
        try:
            return key_of(run)
        except UserError:  # raised again when the run itself is performed
            return run.id

    return list(grouped(runs, {run.id: key(run) for run in runs}).values())


def untrained(runs: Sequence[Run], directory: Path) -> list[Run]:
    """Returns the runs that have no status yet."""
    return [r for r in runs if store.read_status(store.run_folder(directory, r.id)) is None]


def train_side_by_side(
    runs: Sequence[Run],
    directory: Path,
    cache: ProgramCache,
    count: int,
    stop: threading.Event | None = None,
) -> None:
    """Trains runs of one program side by side, `count` at a time.

    Runs for which this fails are left to be trained one by one; their logs state the reason.
    """
    for start in range(0, len(runs), count):
        batch = runs[start : start + count]
        if stop is not None and stop.is_set():
            return
        if len(batch) > 1:
            try:
                train_together(batch, directory, cache)
            except StorageError:
                raise
            except Exception as error:
                for run in batch:
                    folder = store.run_folder(directory, run.id)
                    store.append_log(folder, f"trained on its own instead: {first_line(error)}")


def perform_one(
    run: Run,
    directory: Path,
    cache: ProgramCache,
    worker: str = _WORKER,
    cancelled: threading.Event | None = None,
) -> Ended:
    """Performs a run; one that raises is recorded as failed.

    Once `cancelled` is set, the run raises Cancelled. Raises StorageError if results cannot be
    written.
    """
    folder, began = store.run_folder(directory, run.id), time.perf_counter()
    progress = Progress(folder, worker, cancelled)
    try:
        status = _perform(run, folder, cache, progress)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:
        status = "failed"
        explanation = _trace(error)
        store.append_log(folder, explanation.rstrip())
        store.write_failure(folder, config.dump(run), explanation)
    progress.end(status)
    return Ended(run, status, time.perf_counter() - began)


def _perform(run: Run, folder: Path, cache: ProgramCache, progress: Progress) -> str:
    """Performs a run; if it raises, once more in a program without the other losses."""
    shared = cache.shares_program(run)
    try:
        return perform(run, folder, cache, progress)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:
        if not shared:
            raise
        store.append_log(folder, f"compiling the loss by itself: {first_line(error)}")
    cache.compile_separately(run)
    return perform(run, folder, cache, progress)


def _trace(error: BaseException) -> str:
    """Returns the traceback without JAX's note on hidden frames, so that it ends with the error."""
    text = "".join(traceback.format_exception(error))
    return text.split("\n--------------------\nFor simplicity, JAX")[0].rstrip() + "\n"
