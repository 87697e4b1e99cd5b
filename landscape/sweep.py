"""Many runs into one folder: what is missing, in which order, and what failed."""

import shutil
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from landscape import config, store
from landscape.config import Run
from landscape.errors import UserError

if TYPE_CHECKING:
    from landscape.workshop import Workshop

PENDING = ("new", "measure", "retry")


def plan(
    runs: Sequence[Run], directory: Path, *, fresh: bool, retry_failed: bool
) -> dict[str, str]:
    """What is to be done with each run, by id.

    `new`; `measure`: trained, but not measured as it is asked for now; `retry`; or the status that
    is kept: `done`, `diverged`, `failed`.
    """
    return {
        run.id: "new" if fresh else _decide(run, store.run_folder(directory, run.id), retry_failed)
        for run in runs
    }


def _decide(run: Run, folder: Path, retry_failed: bool) -> str:
    status = store.read_status(folder)
    if status is None:
        return "new"
    if status == "failed":
        return "retry" if retry_failed else "failed"
    if status == store.TRAINED or not store.readable(folder, _asked(run)):
        return "measure"
    try:
        stored = config.read_run(folder / "config.yaml").measurement
    except UserError:
        return "new"
    return status if stored == run.measurement else "measure"


def _asked(run: Run) -> list[str]:
    """The files that a finished run has for what its config asks to be measured."""
    asked = {"slices.npz": run.slices, "curvature.json": run.curvature, "audit.json": run.audit}
    return [name for name, value in asked.items() if value]


def statuses(directory: Path) -> dict[str, str]:
    """The status of each run of an experiment, `missing` where it has not ended."""
    if not (directory / "experiment.yaml").is_file():
        raise UserError(
            f"{directory} holds no experiment",
            hint="name the folder that `landscape run` wrote to, such as runs/quickstart",
        )
    return {
        run_id: store.read_status(store.run_folder(directory, run_id)) or "missing"
        for run_id in store.read_plan(directory)
    }


def open_directory(
    directory: Path, experiment_yaml: str, run_ids: Sequence[str], *, fresh: bool
) -> None:
    """Makes the experiment's folder and writes what was asked for."""
    if directory.exists() and not directory.is_dir():
        raise UserError(
            f"{directory} is a file; results need a folder", hint="choose another --out"
        )
    try:
        if fresh and directory.exists():
            shutil.rmtree(directory)
        store.write_text(directory / "experiment.yaml", experiment_yaml)
        store.write_plan(directory, run_ids)
    except OSError as error:
        raise UserError(
            f"cannot write to {directory}: {error.strerror}", hint="choose another --out"
        ) from error


def perform_all(
    runs: Sequence[Run], directory: Path, workshop: "Workshop", together: int = 1
) -> Iterator[tuple[Run, str, float]]:
    """Performs all runs; yields each when it has ended, with its status and its seconds.

    On a CPU two runs are under way at a time: one compiles or writes while the other computes. The
    first run of a program compiles it for all others, which wait for it, so that nothing is
    compiled twice; the very first one is alone, since it compiles what all programs use.

    `together`: how many runs of one program are trained side by side before each is measured.

    A run that raises costs only itself: its traceback is stored and the others go on. Mistakes
    that can be known before are for `workshop.prepare` to find, with the same workshop. Whoever
    asks for no more waits for the runs under way.
    """
    from landscape.compiling import concurrency

    groups = _by_program(runs, workshop)
    if together > 1:
        for group in groups:
            _train_together(group, directory, workshop, together)
    followers = {first.id: rest for first, *rest in groups}
    ready = [group[0] for group in groups]
    pool, waits = ThreadPoolExecutor(concurrency()), True
    try:
        under_way = {pool.submit(_perform, run, directory, workshop) for run in ready[:1]}
        ready = ready[1:]
        while under_way:
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()
                ready += followers.pop(future.result()[0].id, [])
                under_way |= {pool.submit(_perform, run, directory, workshop) for run in ready}
                ready = []
    except KeyboardInterrupt:
        # Whoever interrupts is told at once; Python waits for the runs under way when it exits.
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)


def _by_program(runs: Sequence[Run], workshop: "Workshop") -> list[list[Run]]:
    """The runs that share a program, each group in its order."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        try:
            key = workshop.key(run)
        except UserError:  # told when the run itself is performed
            key = run.id
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def _train_together(
    group: Sequence[Run], directory: Path, workshop: "Workshop", count: int
) -> None:
    """Leaves what it cannot train side by side to each run, and says why."""
    from landscape.experiment import train_together

    new = [r for r in group if store.read_status(store.run_folder(directory, r.id)) is None]
    for start in range(0, len(new), count):
        some = new[start : start + count]
        if len(some) > 1:
            try:
                train_together(some, directory, workshop)
            except Exception as error:
                told = (str(error).splitlines() or [""])[0]
                kind = type(error).__name__
                warnings.warn(f"trained one by one instead: {kind}: {told}", stacklevel=2)


def _perform(run: Run, directory: Path, workshop: "Workshop") -> tuple[Run, str, float]:
    from landscape.experiment import perform

    folder, clock = store.run_folder(directory, run.id), time.perf_counter()
    try:
        status = perform(run, folder, workshop)
    except Exception as error:
        status = "failed"
        store.write_failure(folder, config.dump(run), _trace(error))
    return run, status, time.perf_counter() - clock


def _trace(error: Exception) -> str:
    """The traceback, ending with the error itself rather than jax's note on hidden frames."""
    text = "".join(traceback.format_exception(error))
    return text.split("\n--------------------\nFor simplicity, JAX")[0].rstrip() + "\n"
