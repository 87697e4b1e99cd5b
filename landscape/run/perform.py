"""One run: train, measure, audit, store."""

import functools
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape import config
from landscape.audit import curvature_note
from landscape.config import Run
from landscape.numerics.checks import Check
from landscape.numerics.compiling import one_blas_thread
from landscape.numerics.risk import Examples
from landscape.numerics.train import Carry, Trained, checkpoint_slots, draw_order, recorded_steps
from landscape.numerics.train import run as run_loop
from landscape.parts.datasets import Dataset
from landscape.parts.metrics import HIGHER_IS_BETTER
from landscape.run.measurements import MeasuredPoint, Training, checked, curvature_of, slice_sets
from landscape.run.program import (
    Program,
    evaluation_set,
    initial_params,
    kept_checkpoints,
    seed_key,
    training_set,
)
from landscape.run.program_cache import ProgramCache
from landscape.run.progress import Progress
from landscape.storage import disk, store

PyTree = Any


@one_blas_thread()
def perform(run: Run, folder: Path, workshop: ProgramCache, progress: Progress) -> str:
    """Trains, slices, audits and stores one run; returns `done` or `diverged`.

    Where the folder holds the finished training of this run, its parameters are measured again
    and nothing is trained.
    """
    asked = config.dump(run)
    program, data = workshop.program(run), workshop.dataset(run)
    evaluation = evaluation_set(run, data)
    meta = _meta(run)
    clock = _Clock(meta["seconds"], progress)

    training = _stored_training(run, program, folder)
    # What is true of a training stays true when it is measured again.
    meta |= _of_training(folder) if training is not None else {"trained_together": 1}
    with clock("train"):
        if training is None:
            store.clear_run(folder)
            training = _train(run, program, data, evaluation, progress)
            _store_training(asked, program, data, training, folder)
    # From here on a training is kept, whatever happens while it is measured.
    store.write_status(folder, store.TRAINED)
    places = [MeasuredPoint(run, program, training, evaluation, at) for at in _places(run)]
    with clock("curvature", run.curvature is not None):
        bent, made = _curvature(run, workshop, places)
    with clock("slices", run.slices is not None):
        arrays, more = _slice(run, program, places)
    with clock("audit", run.audit):
        audit = workshop.audit(run) if run.audit else None

    store.clear_measured(folder)
    disk.write_text(folder / "config.yaml", asked)
    if arrays:
        store.write_slices(folder, arrays)
    if bent is not None:
        disk.write_json(folder / "curvature.json", bent)
    if audit is not None:
        disk.write_json(folder / "audit.json", audit)
    disk.write_json(folder / "summary.json", _summary(program, data, training, made + more))
    if arrays:
        meta["side_by_side"] = program.instruments.width.known
    disk.write_json(folder / "meta.json", meta)
    status = "done" if training.diverged_step is None else "diverged"
    store.write_status(folder, status)
    return status


def _store_training(
    asked: str, program: Program, data: Dataset, training: Training, folder: Path
) -> None:
    disk.write_text(folder / "config.yaml", asked)
    store.write_trace(folder, training.trace)
    store.write_params(folder, _named(training))
    if len(training.checkpoint_steps):
        store.write_checkpoints(folder, training.checkpoint_steps, _tensors(training.checkpoints))
    disk.write_json(folder / "summary.json", _summary(program, data, training, []))


class _Clock:
    """Tells the stages of a run, and puts the seconds of each into a dict."""

    def __init__(self, seconds: dict[str, float], progress: Progress) -> None:
        self._seconds, self._progress = seconds, progress

    @contextmanager
    def __call__(self, stage: str, asked: bool = True) -> Iterator[None]:
        if asked:
            self._progress.stage(stage)
        start = time.perf_counter()
        yield
        if asked:
            self._seconds[stage] = time.perf_counter() - start


def train_together(runs: Sequence[Run], directory: Path, workshop: ProgramCache) -> None:
    """Trains runs of one program side by side and stores what each has learned.

    `perform` finds it there and measures. Equal to trainings of their own up to rounding.
    """
    programs = [workshop.program(run) for run in runs]
    data = [workshop.dataset(run) for run in runs]
    given = [
        (p.numbers, *_given(run, p, d, evaluation_set(run, d)))
        for run, p, d in zip(runs, programs, data, strict=True)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack([*map(jnp.asarray, leaves)]), *given)
    values, *start = stacked
    found = run_loop(programs[0].loop_of_many(values), tuple(start))
    for number, (run, program, own) in enumerate(zip(runs, programs, data, strict=True)):
        trained = jax.tree.map(lambda leaf, number=number: leaf[number], found)
        folder = store.run_folder(directory, run.id)
        training = _training(run, given[number][1:], trained)
        store.clear_run(folder)
        _store_training(config.dump(run), program, own, training, folder)
        disk.write_json(folder / "meta.json", {"trained_together": len(runs)})
        store.write_status(folder, store.TRAINED)


def _train(
    run: Run, program: Program, data: Dataset, evaluation: Examples, progress: Progress
) -> Training:
    given = _given(run, program, data, evaluation)
    stops = np.asarray(given[-2])

    def tell(step: int, carry: Carry) -> None:
        count = int((stops <= step).sum())
        progress.reached(
            step,
            run.steps,
            lambda: {name: np.asarray(rows[:count]) for name, rows in carry.rows.items()},
        )

    return _training(run, given, run_loop(program.loop, given, tell))


def _given(run: Run, program: Program, data: Dataset, evaluation: Examples) -> tuple:
    """The arguments of training: its start, its data, the order, and what to keep."""
    examples = len(data.train.targets)
    order = draw_order(seed_key(run.seed, "data order"), examples, run.steps, run.batch_size)
    stops = recorded_steps(run.steps, run.record_every)
    numbers = (jnp.asarray(n, jnp.int32) for n in (stops, checkpoint_slots(stops, run.checkpoints)))
    return initial_params(run, program.model), training_set(data), evaluation, order, *numbers


def _training(run: Run, given: tuple, trained: Trained) -> Training:
    """What the arguments of training, as `_given` has them, came to."""
    initial, *_, stops, slots = given
    trace = {name: np.asarray(values) for name, values in trained.rows.items()}
    steps = np.asarray(stops, int)[np.asarray(slots) < kept_checkpoints(run)]
    training = Training(
        initial, trained.params, trained.update, trained.checkpoints, steps, trace, None
    )
    if not bool(trained.diverged):
        return training
    step = int(trained.step)
    kept = int(np.argmax(trace["step"] == step)) + 1
    trace = {name: values[:kept] for name, values in trace.items()}
    # A checkpoint after the end repeats it.
    return training._replace(
        trace=trace, diverged_step=step, checkpoint_steps=np.minimum(steps, step)
    )


def _stored_training(run: Run, program: Program, folder: Path) -> Training | None:
    """The training in the folder, if it is there. The run id names what was trained.

    None as well where it is damaged, or was stored before everything was kept that is kept now:
    then it is trained again.
    """
    damaged = {*store.damaged(folder)} & {*store.TRAINING}
    if store.read_status(folder) is None or damaged:
        return None
    try:
        return _read_training(run, program, folder)
    except Exception:  # files that others cut or changed fail in as many ways as there are readers
        return None


def _read_training(run: Run, program: Program, folder: Path) -> Training:
    like = _like(program)
    tensors = store.read_params(folder)
    steps, kept = store.read_checkpoints(folder) if run.checkpoints else (np.zeros(0, int), {})
    trace = {name: column.to_numpy() for name, column in store.read_trace(folder).items()}
    last = int(trace["step"][-1])
    return Training(
        initial=_restore(like, tensors, "initial/"),
        trained=_restore(like, tensors, "trained/"),
        update=_restore(like, tensors, "update/"),
        checkpoints=_restore(like, kept, "") if run.checkpoints else like,
        checkpoint_steps=steps,
        trace=trace,
        diverged_step=last if last < run.steps else None,
    )


def restored(program: Program, folder: Path) -> tuple[PyTree, PyTree]:
    """The trained and the initial parameters of a finished run."""
    like, tensors = _like(program), store.read_params(folder)
    return _restore(like, tensors, "trained/"), _restore(like, tensors, "initial/")


def _of_training(folder: Path) -> dict[str, Any]:
    try:
        return {"trained_together": disk.read_json(folder / "meta.json")["trained_together"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _places(run: Run) -> list[str]:
    """The ends of training at which anything is measured, each once."""
    asked = [at for part in (run.slices, run.curvature) if part is not None for at in part.at]
    return [at for at in ("trained", "initial") if at in asked]


def _slice(
    run: Run, program: Program, places: list[MeasuredPoint]
) -> tuple[dict[str, np.ndarray], list[Check]]:
    """All slices of a run under the names they have in slices.npz, and their checks."""
    arrays: dict[str, Any] = {}
    made: list[Check] = []
    for around in places:
        if run.slices is None or around.at not in run.slices.at:
            continue
        sets = list(slice_sets(around))
        made += checked(around, sets)
        for found in sets:
            arrays |= {f"{found.where}/{name}": array for name, array in found.arrays.items()}
        names = ("risk", *program.metrics)
        arrays |= {f"{around.at}/center/{name}": around.here[name] for name in names}
    return {name: np.asarray(array) for name, array in arrays.items()}, made


def _curvature(
    run: Run, workshop: ProgramCache, places: list[MeasuredPoint]
) -> tuple[dict[str, Any] | None, list[Check]]:
    """curvature.json, and the checks of it."""
    asked = run.curvature
    if asked is None:
        return None, []
    known = curvature_note.of_loss(workshop.audit(run))
    points, made = [], []
    for around in [around for around in places if around.at in asked.at]:
        step = int(around.training.trace["step"][-1]) if around.at == "trained" else 0
        described, more = curvature_of(around, around.at, step, known.against_gauss_newton)
        points.append(described)
        made += more
    for around, step in _checkpoints(places[0]) if asked.checkpoints else ():
        points.append(curvature_of(around, "checkpoint", step, known.against_gauss_newton)[0])
    return known.to_json() | {"points": points}, made


def _checkpoints(around: MeasuredPoint) -> Iterator[tuple[MeasuredPoint, int]]:
    training = around.training
    for number, step in enumerate(training.checkpoint_steps.tolist()):
        params = jax.tree.map(lambda leaf, number=number: leaf[number], training.checkpoints)
        given = (around.run, around.program, training, around.examples)
        yield MeasuredPoint(*given, "trained", params), step


def _named(training: Training) -> dict[str, np.ndarray]:
    trees = {name: getattr(training, name) for name in ("initial", "trained", "update")}
    return _tensors(trees)


def _tensors(tree: PyTree) -> dict[str, np.ndarray]:
    return {_name(path): np.asarray(a) for path, a in jax.tree_util.tree_leaves_with_path(tree)}


def _like(program: Program) -> PyTree:
    """The shapes of a model's parameters."""
    return jax.eval_shape(program.model.init, jax.random.key(0))


def _restore(like: PyTree, tensors: dict[str, np.ndarray], prefix: str) -> PyTree:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jnp.asarray(tensors[f"{prefix}{_name(path)}"]), like
    )


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _summary(
    program: Program, data: Dataset, training: Training, made: list[Check]
) -> dict[str, Any]:
    return {
        "status": "done" if training.diverged_step is None else "diverged",
        "diverged_step": training.diverged_step,
        "task": data.task,
        "primary_metric": program.metrics[0],
        "metrics": list(program.metrics),
        "higher_is_better": {name: HIGHER_IS_BETTER.get(name, True) for name in program.metrics},
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(training.trained)),
        "training_examples": len(data.train.targets),
        "checks": [check.to_json() for check in made],
    }


def _meta(run: Run) -> dict[str, Any]:
    device = jax.devices()[0]
    packages = ("landscape", "jax", "jaxlib", "optax", "equinox", "numpy")
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": {},
        "device": f"{device.platform}: {device.device_kind}",
        "devices": jax.local_device_count(),
        "machine": platform.platform(),
        "versions": {"python": platform.python_version()} | {n: _version(n) for n in packages},
        "git": _git_revision(run.folder),
    }


_version = functools.cache(version)


@functools.cache
def _git_revision(folder: Path) -> str | None:
    """The revision of the work tree that the config lies in, with a + where it has changes.

    As it was when this process first asked.
    """
    still = ["-c", "core.fsmonitor=false"]
    command = ["git", *still, "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
