"""One run: train, measure, audit, store."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape import config
from landscape.audit import curvature_note
from landscape.config import Run
from landscape.numerics.compiling import one_blas_thread
from landscape.numerics.example_stream import ExampleStream
from landscape.numerics.risk import Examples
from landscape.numerics.train import Carry, Trained, TrainingInputs, run_in_pieces
from landscape.parts.datasets import Dataset
from landscape.run.data_record import data_record
from landscape.run.measurements import (
    NOT_JUDGED,
    Judgment,
    MeasuredPoint,
    Training,
    check_slices,
    curvature_at,
    judge,
    slice_sets,
)
from landscape.run.point_training import describe_point, point_training
from landscape.run.program import Program
from landscape.run.program_cache import ProgramCache
from landscape.run.progress import Progress
from landscape.run.provenance import provenance
from landscape.run.run_summary import batch_statistics, run_summary
from landscape.run.slice_progress import SliceProgress
from landscape.run.stored_training import read_training, training_files
from landscape.run.training_inputs import checkpoint_count, evaluation_set, training_inputs
from landscape.storage import array_files, store
from landscape.storage.audit_records import AuditRecord
from landscape.storage.curvature_records import CurvatureRecord
from landscape.storage.records import Check, MetaRecord, SummaryRecord

PyTree = Any


class Measurements(NamedTuple):
    """Measurements of a run beside its training; None for what the config does not request."""

    judgment: Judgment
    curvature_record: CurvatureRecord | None
    slice_arrays: dict[str, np.ndarray]
    audit: AuditRecord | None
    checks: list[Check]


@one_blas_thread()
def perform(run: Run, folder: Path, cache: ProgramCache, progress: Progress) -> str:
    """Trains, slices, audits and stores one run; returns `done`, `diverged` or `looked`.

    If the folder holds the finished training of this run, its parameters are measured again and
    nothing is trained.
    """
    program, data = cache.program(run), cache.dataset(run)
    for line in data_record(data).lines:
        store.append_log(folder, line)
    evaluation = cache.evaluation_set(run)
    slice_progress = SliceProgress(run, folder, progress)
    meta = provenance(run)
    stages, loss_call = _Stages(progress), cache.loss_call(run)
    if loss_call:
        store.append_log(folder, f"loss: {loss_call}")

    training = read_training(run, program.model, folder)
    # How a run was trained stays true when it is measured again.
    trained_together = _trained_together(folder) if training is not None else 1
    files: dict[str, bytes] = {}
    with stages("train" if run.point is None else "point"):
        if training is None:
            store.clear_run(folder)
            training = _begin(run, cache, evaluation, progress)
            files = _training_files(run, training)
    at = run, program, training, evaluation
    points = [MeasuredPoint(*at, end, slice_progress=slice_progress) for end in _ends(run)]
    # A failure of the measurements does not lose the training.
    if not files or points or run.audit:
        store.write_run_files(folder, files, store.TRAINED)
        files = {}
    measurements = _measure(run, cache, training, points, stages)
    width = program.instruments.width.known if measurements.slice_arrays else None
    meta = replace(
        meta, seconds=stages.seconds, trained_together=trained_together, side_by_side=width
    )
    statistics = batch_statistics(run, program.model)
    outcome = training, measurements.judgment, measurements.checks
    summary = run_summary(
        program, data, *outcome, loss_call=loss_call, looked=run.point is not None
    )
    described = _described(run, cache, statistics)
    summary = replace(summary, batch_statistics=statistics, point=described)
    if isinstance(evaluation, ExampleStream):
        summary = _of_stream(summary, evaluation)
    files |= _measurement_files(run, data, measurements)
    files |= {"summary.json": store.record_bytes(summary), "meta.json": store.record_bytes(meta)}
    store.clear_measured(folder)
    store.write_run_files(folder, files, summary.status)
    slice_progress.end()
    return summary.status


def _begin(
    run: Run, cache: ProgramCache, evaluation: Examples | ExampleStream, progress: Progress
) -> Training:
    """Trains a run; of a point that was trained elsewhere, returns what stands in for it."""
    program, point = cache.program(run), cache.point(run)
    if point is None:
        assert isinstance(evaluation, Examples)
        data = cache.dataset(run)
        inputs = training_inputs(run, program.model, program.optimizer, data, evaluation)
        return _train(run, program, inputs, progress)
    return point_training(program, cache.point_variables(run), evaluation)


def _of_stream(summary: SummaryRecord, stream: ExampleStream) -> SummaryRecord:
    """Returns the summary with the size of the stream in place of that of its first batch."""
    assert summary.data is not None
    examples = dict.fromkeys(summary.data.examples, stream.weight)
    data = replace(summary.data, examples=examples, class_counts={})
    return replace(summary, training_examples=stream.weight, data=data)


def _measure(
    run: Run,
    cache: ProgramCache,
    training: Training,
    points: list[MeasuredPoint],
    stages: "_Stages",
) -> Measurements:
    with stages("test", run.judged):
        judged = _judge(run, cache, training) if run.judged else None
    with stages("curvature", run.curvature is not None):
        curvature_record, curvature_checks = _curvature(run, cache, points)
    with stages("slices", run.slices is not None):
        slice_arrays, slice_checks = _slices(run, points)
    with stages("audit", run.audit):
        audit = cache.audit(run) if run.audit else None
    all_checks = curvature_checks + slice_checks
    return Measurements(judged or NOT_JUDGED, curvature_record, slice_arrays, audit, all_checks)


def _described(run: Run, cache: ProgramCache, statistics: str | None) -> str:
    """Returns what a look looks at; empty for a training."""
    point = cache.point(run)
    return "" if point is None else describe_point(point, cache.point_variables(run), statistics)


def _judge(run: Run, cache: ProgramCache, training: Training) -> Judgment:
    data = cache.dataset(run)
    return judge(cache.program(run), data, training, evaluation_set(run, data))


def _training_files(run: Run, training: Training) -> dict[str, bytes]:
    return {"config.yaml": config.dump(run).encode()} | training_files(training)


def _measurement_files(run: Run, data: Dataset, measurements: Measurements) -> dict[str, bytes]:
    files = {"config.yaml": config.dump(run).encode()}
    if run.point is None:
        rows = {name: np.asarray(split.rows) for name, split in data.splits.items()}
        files["splits.npz"] = array_files.splits_bytes(rows)
    if measurements.slice_arrays:
        files["slices.npz"] = array_files.slices_bytes(measurements.slice_arrays)
    if measurements.curvature_record is not None:
        files["curvature.json"] = store.record_bytes(measurements.curvature_record)
    if measurements.audit is not None:
        files["audit.json"] = store.record_bytes(measurements.audit)
    return files


class _Stages:
    """Reports the stages of a run, and records the seconds of each."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def __call__(self, stage: str, requested: bool = True) -> Iterator[None]:
        if requested:
            self._progress.stage(stage)
        start = time.perf_counter()
        yield
        if requested:
            self.seconds[stage] = time.perf_counter() - start


def train_together(runs: Sequence[Run], directory: Path, cache: ProgramCache) -> None:
    """Trains runs of one program side by side and stores the training of each.

    `perform` finds it there and measures. Equal to training one by one, up to rounding.
    """
    programs = [cache.program(run) for run in runs]
    datasets = [cache.dataset(run) for run in runs]
    arguments = [
        (p.loss, training_inputs(run, p.model, p.optimizer, data, evaluation_set(run, data)))
        for run, p, data in zip(runs, programs, datasets, strict=True)
    ]
    losses, inputs = jax.tree.map(
        lambda *leaves: jnp.stack([*map(jnp.asarray, leaves)]), *arguments
    )
    losses = replace(losses, index=programs[0].loss.index)  # the same for all of them
    together = run_in_pieces(programs[0].training.loop_side_by_side, losses, inputs)
    meta = store.record_bytes(MetaRecord(trained_together=len(runs)))
    for number, run in enumerate(runs):
        trained = jax.tree.map(lambda leaf, number=number: leaf[number], together)
        folder = store.run_folder(directory, run.id)
        files = _training_files(run, _training(run, arguments[number][1], trained))
        store.clear_run(folder)
        store.write_run_files(folder, files | {"meta.json": meta}, store.TRAINED)


def _train(run: Run, program: Program, inputs: TrainingInputs, progress: Progress) -> Training:
    record_at = np.asarray(inputs.record_at)

    def notify(step: int, carry: Carry) -> None:
        count = int((record_at <= step).sum())
        progress.reached(
            step,
            run.steps,
            lambda: {name: np.asarray(rows[:count]) for name, rows in carry.rows.items()},
        )

    trained = run_in_pieces(program.training.loop, program.loss, inputs, notify)
    return _training(run, inputs, trained)


def _training(run: Run, inputs: TrainingInputs, trained: Trained) -> Training:
    """Packs the result of training."""
    trace = {name: np.asarray(values) for name, values in trained.rows.items()}
    has_slot = np.asarray(inputs.slots) < checkpoint_count(run)
    training = Training(
        initial=inputs.params,
        trained=trained.last.params,
        update=trained.update,
        best=trained.best.params,
        checkpoints=trained.checkpoints.params,
        checkpoint_steps=np.asarray(inputs.record_at, int)[has_slot],
        trace=trace,
        diverged_step=None,
        states=_states(inputs, trained),
    )
    if not bool(trained.diverged):
        return training
    step = int(trained.step)
    count = int(np.argmax(trace["step"] == step)) + 1
    return training._replace(
        trace={name: values[:count] for name, values in trace.items()},
        diverged_step=step,
        # A checkpoint after the divergence repeats the last finite parameters.
        checkpoint_steps=np.minimum(training.checkpoint_steps, step),
    )


def _states(inputs: TrainingInputs, trained: Trained) -> dict[str, PyTree]:
    """Returns the states of the model by the names of `Training`; empty without a training mode."""
    if inputs.key is None:
        return {}
    return {
        "initial": inputs.state,
        "trained": trained.last.state,
        "best": trained.best.state,
        "checkpoints": trained.checkpoints.state,
    }


def _trained_together(folder: Path) -> int | None:
    try:
        return store.read_record(folder / "meta.json", MetaRecord).trained_together
    except (OSError, ValueError):
        return None


def _ends(run: Run) -> list[str]:
    """Returns the ends of training at which something is measured, each once."""
    blocks = (run.slices, run.curvature)
    requested = [end for block in blocks if block is not None for end in block.at]
    return [end for end in ("trained", "initial") if end in requested]


def _slices(run: Run, points: list[MeasuredPoint]) -> tuple[dict[str, np.ndarray], list[Check]]:
    """Returns all slices of a run by their names in slices.npz, and their checks."""
    arrays: dict[str, Any] = {}
    checks: list[Check] = []
    for point in points:
        if run.slices is None or point.end not in run.slices.at:
            continue
        sets = list(slice_sets(point))
        checks += check_slices(point, sets)
        for slices in sets:
            arrays |= {f"{slices.where}/{name}": array for name, array in slices.arrays.items()}
        names = ("risk", *point.program.metrics)
        arrays |= {f"{point.end}/center/{name}": point.center[name] for name in names}
    return {name: np.asarray(array) for name, array in arrays.items()}, checks


def _curvature(
    run: Run, cache: ProgramCache, points: list[MeasuredPoint]
) -> tuple[CurvatureRecord | None, list[Check]]:
    """Returns the curvature at all requested points, and the checks of it."""
    settings = run.curvature
    if settings is None:
        return None, []
    note = _curvature_note(run, cache)
    records, checks = [], []
    for point in [point for point in points if point.end in settings.at]:
        step = int(point.training.trace["step"][-1]) if point.end == "trained" else 0
        record, point_checks = curvature_at(point, point.end, step, note.against_gauss_newton)
        records.append(record)
        checks += point_checks
    for point, step in _checkpoints(points[0]) if settings.checkpoints else ():
        records.append(curvature_at(point, "checkpoint", step, note.against_gauss_newton)[0])
    return note.record(records), checks


def _curvature_note(run: Run, cache: ProgramCache) -> curvature_note.Smoothness:
    """Returns the smoothness of the loss and the model; unknown for a risk that is a function."""
    point = cache.point(run)
    if point is not None and point.risk is not None:
        return curvature_note.Smoothness(None, None, None, of_risk=True)
    model = cache.program(run).model
    return curvature_note.of_loss(cache.audit(run), model.twice_differentiable)


def _checkpoints(point: MeasuredPoint) -> Iterator[tuple[MeasuredPoint, int]]:
    training = point.training
    for number, step in enumerate(training.checkpoint_steps.tolist()):
        at = point.run, point.program, training, point.examples, "trained", number
        yield MeasuredPoint(*at), step
