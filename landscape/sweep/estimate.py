"""How long a sweep will take: one short run of each program is timed, cold and warm."""

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from landscape.config import Run
from landscape.errors import UserError, first_line
from landscape.run.perform import perform
from landscape.run.program_cache import ProgramCache
from landscape.run.progress import Progress
from landscape.storage import disk
from landscape.sweep.executors.affinity_queue import grouped


class Cost(NamedTuple):
    """Seconds: of compiling, once each program, and of all runs after that, one by one."""

    compiling: float
    running: float


def estimated(runs: Sequence[Run], training: Collection[str], workshop: ProgramCache) -> Cost:
    """The cost of all runs, from one of each program with a few of its steps.

    `training`: the ids of those that are trained, and not only measured. Everything that is asked
    to be measured is measured, in a temporary folder. What lies across runs and the report are not
    part of it.
    """
    compiling = running = 0.0
    for same in grouped(runs, {run.id: workshop.key(run) for run in runs}).values():
        run = same[0]
        short = run.model_copy(update={"steps": _few_steps(run)})
        cold, _ = _timed(short, workshop)
        warm, few_steps = _timed(short, workshop)
        compiling += max(cold - warm, 0.0)
        new = sum(run.id in training for run in same)
        running += len(same) * (warm - few_steps) + new * few_steps * run.steps / short.steps
    return Cost(compiling, running)


def _few_steps(run: Run) -> int:
    """As many as need to be recorded for all checkpoints that are measured."""
    return min(run.steps, run.record_every * max(run.checkpoints, 1))


def _timed(run: Run, workshop: ProgramCache) -> tuple[float, float]:
    """Seconds of a run, and of the training in it."""
    with TemporaryDirectory() as name:
        folder, began = Path(name), time.perf_counter()
        try:
            perform(run, folder, workshop, Progress(folder))
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{run.label}: {first_line(error)}") from error
        meta = disk.read_json(folder / "meta.json")
        return time.perf_counter() - began, float(meta["seconds"]["train"])
