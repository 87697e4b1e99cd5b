"""Many runs into one folder: what is missing, in which order, and what failed."""

import shutil
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landscape import config, store
from landscape.config import Run
from landscape.errors import UserError

if TYPE_CHECKING:
    from landscape.program import Workshop

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
    runs: Sequence[Run], directory: Path, workshop: "Workshop"
) -> Iterator[tuple[Run, str, float]]:
    """Performs one run after the other; yields each with its status and its seconds.

    A run that raises costs only itself: its traceback is stored and the others go on. Mistakes
    that can be known before are for `program.prepare` to find, with the same workshop.
    """
    from landscape.experiment import perform

    for run in runs:
        folder, clock = store.run_folder(directory, run.id), time.perf_counter()
        try:
            status = perform(run, folder, workshop)
        except Exception as error:
            status = "failed"
            store.write_failure(folder, config.dump(run), _trace(error))
        yield run, status, time.perf_counter() - clock


def _trace(error: Exception) -> str:
    """The traceback, ending with the error itself rather than jax's note on hidden frames."""
    text = "".join(traceback.format_exception(error))
    return text.split("\n--------------------\nFor simplicity, JAX")[0].rstrip() + "\n"
