"""Estimates the time of a sweep from one short run of each program, timed cold and warm."""

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
from landscape.storage import store
from landscape.storage.records import MetaRecord
from landscape.sweep.executors.affinity_queue import grouped


class Cost(NamedTuple):
    """Seconds to compile each program and audit each loss once, and of all runs one by one."""

    compiling: float
    running: float


def estimate_cost(runs: Sequence[Run], training: Collection[str], cache: ProgramCache) -> Cost:
    """Estimates the cost of all runs from a few steps of one run per program.

    `training`: the ids of the runs that are trained, and not only measured. The short runs perform
    all configured measurements, in a temporary folder. Measurements across runs and the report are
    not included.
    """
    compiling = running = 0.0
    shortened = {run.id: run.model_copy(update={"steps": _few_steps(run)}) for run in runs}
    cache.compile_together(shortened.values())
    for group in grouped(runs, {run.id: cache.key(run) for run in runs}).values():
        run, short = group[0], shortened[group[0].id]
        cold, _ = _timed(short, cache)
        warm, few_steps = _timed(short, cache)
        compiling += max(cold - warm, 0.0)
        trained = sum(run.id in training for run in group)
        running += len(group) * (warm - few_steps) + trained * few_steps * run.steps / short.steps
    return Cost(compiling + _audit_seconds(runs, cache), running)


def _audit_seconds(runs: Sequence[Run], cache: ProgramCache) -> float:
    """Returns the seconds to audit the losses that no short run has audited."""
    began = time.perf_counter()
    for run in runs:
        if run.audit or run.curvature is not None:
            cache.audit(run)
    return time.perf_counter() - began


def _few_steps(run: Run) -> int:
    """Returns the fewest steps that record all measured checkpoints."""
    if run.point is not None:
        return run.steps
    return min(run.steps, run.record_every * max(run.checkpoints, 1))


def _timed(run: Run, cache: ProgramCache) -> tuple[float, float]:
    """Returns the seconds of a run, and those of its training."""
    with TemporaryDirectory() as name:
        folder, began = Path(name), time.perf_counter()
        try:
            perform(run, folder, cache, Progress(folder))
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{run.label}: {first_line(error)}") from error
        meta = store.read_record(folder / "meta.json", MetaRecord)
        return time.perf_counter() - began, meta.seconds.get("train", 0.0)
