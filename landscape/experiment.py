"""One run: train, record, slice, audit, store."""

import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape import config, slices, store
from landscape.config import Lines, Planes, Run
from landscape.parts.datasets import Dataset
from landscape.parts.metrics import HIGHER_IS_BETTER
from landscape.program import (
    Program,
    Workshop,
    evaluation_set,
    initial_params,
    seed_key,
    training_set,
)
from landscape.risk import Examples
from landscape.train import draw_order, recorded_steps

PyTree = Any


class Training(NamedTuple):
    """What training left: both ends of the path, and what was recorded between them."""

    initial: PyTree
    trained: PyTree
    trace: dict[str, np.ndarray]
    diverged_step: int | None


def perform(run: Run, folder: Path, workshop: Workshop) -> str:
    """Trains, slices, audits and stores one run; returns `done` or `diverged`.

    Where the folder holds the finished training of this run, its parameters are measured again
    and nothing is trained.
    """
    program, data = workshop.program(run), workshop.dataset(run)
    evaluation = evaluation_set(run, data)
    meta = _meta(run)

    clock = time.perf_counter()
    training = _stored_training(run, program, folder) or _train(run, program, data, evaluation)
    meta["seconds"]["train"] = time.perf_counter() - clock

    clock = time.perf_counter()
    arrays = _slice(run, program, training, evaluation)
    meta["seconds"]["slices"] = time.perf_counter() - clock

    audit = None
    if run.audit:
        clock = time.perf_counter()
        audit = workshop.audit(run)
        meta["seconds"]["audit"] = time.perf_counter() - clock

    status = "done" if training.diverged_step is None else "diverged"
    store.clear_run(folder)
    store.write_text(folder / "config.yaml", config.dump(run))
    store.write_trace(folder, training.trace)
    store.write_params(folder, _named(training))
    if arrays:
        store.write_slices(folder, arrays)
    if audit is not None:
        store.write_json(folder / "audit.json", audit)
    store.write_json(folder / "summary.json", _summary(program, data, training, arrays))
    store.write_json(folder / "meta.json", meta)
    store.write_status(folder, status)
    return status


def _train(run: Run, program: Program, data: Dataset, evaluation: Examples) -> Training:
    initial = initial_params(run, program.model)
    examples = len(data.train.targets)
    order = draw_order(seed_key(run.seed, "data order"), examples, run.steps, run.batch_size)
    stops = jnp.asarray(recorded_steps(run.steps, run.record_every), jnp.int32)
    trained = program.train(initial, training_set(data), evaluation, order, stops)
    trace = {name: np.asarray(values) for name, values in trained.rows.items()}
    if not bool(trained.diverged):
        return Training(initial, trained.params, trace, None)
    step = int(trained.step)
    kept = int(np.argmax(trace["step"] == step)) + 1
    trace = {name: values[:kept] for name, values in trace.items()}
    return Training(initial, trained.params, trace, step)


def _stored_training(run: Run, program: Program, folder: Path) -> Training | None:
    """The finished training in the folder, if there is one. The run id names what was trained."""
    if store.read_status(folder) not in store.FINISHED:
        return None
    like = jax.eval_shape(program.model.init, jax.random.key(0))
    tensors = store.read_params(folder)
    trace = {name: column.to_numpy() for name, column in store.read_trace(folder).items()}
    return Training(
        initial=_restore(like, tensors, "initial"),
        trained=_restore(like, tensors, "trained"),
        trace=trace,
        diverged_step=store.read_json(folder / "summary.json")["diverged_step"],
    )


def _slice(
    run: Run, program: Program, training: Training, evaluation: Examples
) -> dict[str, np.ndarray]:
    """All slices of a run under the names they have in slices.npz."""
    if run.slices is None:
        return {}
    arrays: dict[str, Any] = {}
    for at in run.slices.at:
        params = training.trained if at == "trained" else training.initial
        found = {}
        if run.slices.planes is not None:
            found["planes"] = _planes(run.slices.planes, run.seed, program, params, evaluation)
        if run.slices.lines is not None:
            found["lines"] = _lines(run.slices.lines, run.seed, program, params, evaluation)
        for kind, values in found.items():
            arrays |= {f"{at}/{kind}/{name}": array for name, array in values.items()}
            arrays |= {f"{at}/center/{name}": _center(values[name]) for name in program.metrics}
            arrays[f"{at}/center/risk"] = _center(values["risk"])
    return {name: np.asarray(array) for name, array in arrays.items()}


def _center(values: np.ndarray) -> np.ndarray:
    """The sample at coordinate zero, which every line and plane has in its middle."""
    first = values[0]
    return first[tuple(size // 2 for size in first.shape)]


def _lines(
    spec: Lines, seed: int, program: Program, params: PyTree, evaluation: Examples
) -> dict[str, Any]:
    keys = _direction_keys(seed, "line directions", spec.directions)
    directions = [program.direction(key, params) for key in keys]
    coordinates = slices.axis(spec.points, spec.radius)
    found = [program.slice(params, (d,), coordinates[:, None], evaluation) for d in directions]
    return {
        "coordinates": coordinates,
        "keys": jax.random.key_data(keys),
        "cosine": slices.cosines(directions),
    } | _stacked(found)


def _planes(
    spec: Planes, seed: int, program: Program, params: PyTree, evaluation: Examples
) -> dict[str, Any]:
    keys = _direction_keys(seed, "plane directions", 2 * spec.draws)
    directions = [program.direction(key, params) for key in keys]
    pairs = list(zip(directions[::2], directions[1::2], strict=True))
    grid = slices.grid(spec.points, spec.radius)
    found = [program.slice(params, pair, grid.points, evaluation) for pair in pairs]
    stacked = _stacked(found)
    return {
        "x": grid.x,
        "y": grid.y,
        "keys": jax.random.key_data(keys),
        "cosine": jnp.stack([slices.cosine(*pair) for pair in pairs]),
    } | {name: values.reshape(spec.draws, *grid.shape) for name, values in stacked.items()}


def _direction_keys(seed: int, purpose: str, count: int) -> jax.Array:
    """The keys of directions 0 to count - 1: the same draws for every loss of one seed."""
    key = seed_key(seed, purpose)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(count))


def _stacked(found: list[dict[str, jax.Array]]) -> dict[str, np.ndarray]:
    return {name: np.stack([f[name] for f in found]) for name in found[0]}


def _named(training: Training) -> dict[str, np.ndarray]:
    trees = {"initial": training.initial, "trained": training.trained}
    return {_name(path): np.asarray(a) for path, a in jax.tree_util.tree_leaves_with_path(trees)}


def _restore(like: PyTree, tensors: dict[str, np.ndarray], prefix: str) -> PyTree:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jnp.asarray(tensors[f"{prefix}/{_name(path)}"]), like
    )


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _summary(
    program: Program, data: Dataset, training: Training, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    last = float(training.trace["risk/evaluation"][-1])
    center = arrays.get("trained/center/risk")
    return {
        "status": "done" if training.diverged_step is None else "diverged",
        "diverged_step": training.diverged_step,
        "task": data.task,
        "primary_metric": program.metrics[0],
        "metrics": list(program.metrics),
        "higher_is_better": {name: HIGHER_IS_BETTER.get(name, True) for name in program.metrics},
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(training.trained)),
        "training_examples": len(data.train.targets),
        "checks": {"center_difference": None if center is None else float(center) - last},
    }


def _meta(run: Run) -> dict[str, Any]:
    device = jax.devices()[0]
    packages = ("landscape", "jax", "jaxlib", "optax", "equinox", "numpy")
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": {},
        "device": f"{device.platform}: {device.device_kind}",
        "machine": platform.platform(),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in packages},
        "git": _git_revision(run.folder),
    }


def _git_revision(folder: Path) -> str | None:
    """The revision of the work tree that the config lies in, with a + where it has changes."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
