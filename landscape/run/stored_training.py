"""The training of a run between memory and its folder: parameters by name, trace, checkpoints."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from landscape.config import Run
from landscape.numerics.train import Variables
from landscape.parts.models import Model
from landscape.run.measurements import Training
from landscape.run.training_inputs import checkpoint_count
from landscape.storage import array_files, array_limits, store

PyTree = Any
# The trees of parameters in `params.safetensors`, each under its name.
_TREES = ("initial", "trained", "update", "best")
# Where the files hold the state of the model that belongs to the parameters of a name.
_STATE = "state/"
_HEADER = 4096  # bytes that the description of a tensor in a file takes at most


def training_files(training: Training) -> dict[str, bytes]:
    """Returns the files of a training by name: trace, parameters and checkpoints."""
    trees = {name: getattr(training, name) for name in _TREES}
    trees = {name: tree for name, tree in trees.items() if tree is not None}
    states = {name: s for name, s in training.states.items() if name in (*trees, "checkpoints")}
    checkpoint_states = states.pop("checkpoints", {})
    files = {
        "trace.parquet": array_files.trace_bytes(training.trace),
        "params.safetensors": array_files.tensors_bytes(_tensors(trees) | _states(states)),
    }
    if len(training.checkpoint_steps):
        files["checkpoints.safetensors"] = array_files.checkpoints_bytes(
            training.checkpoint_steps,
            _tensors(training.checkpoints) | _states(checkpoint_states),
        )
    return files


def read_training(run: Run, model: Model, folder: Path) -> Training | None:
    """Returns the training in a run's folder, None if it is missing, damaged or incomplete.

    Incomplete: written by a version that stored less. The run id identifies the training.
    """
    damaged = {*store.damaged(folder)} & {*store.TRAINING}
    if store.read_status(folder) is None or damaged:
        return None
    try:
        return _read_training(run, model, folder)
    except Exception:  # truncated or edited files fail in as many ways as there are readers
        return None


def _read_training(run: Run, model: Model, folder: Path) -> Training:
    like, state = _shapes(model)
    tensors = array_files.read_params(folder, _most_bytes((like, state), len(_TREES)))
    # A point that was trained elsewhere may have no more than its parameters.
    trees = _TREES if run.point is None else [name for name in _TREES if _has(tensors, name)]
    stateful = [] if state is None else [name for name in trees if name != "update"]
    if run.point is not None:
        stateful = stateful and ["trained"]
    states = {name: _restore(state, tensors, f"{_STATE}{name}/") for name in stateful}
    steps, checkpoints = np.zeros(0, int), like
    if run.checkpoints:
        count = checkpoint_count(run)
        steps, named = array_files.read_checkpoints(folder, _most_bytes((like, state), count))
        checkpoints = _restore(like, named, "", axes=1)
        if state is not None and run.point is None:
            states["checkpoints"] = _restore(state, named, _STATE, axes=1)
    stored_trace = array_files.read_trace(folder, array_limits.most_rows(run))
    trace = {name: column.to_numpy() for name, column in stored_trace.items()}
    last = int(trace["step"][-1])
    ends: dict[str, Any] = dict.fromkeys(_TREES)
    ends |= {name: _restore(like, tensors, f"{name}/") for name in trees}
    return Training(
        **ends,
        checkpoints=checkpoints,
        checkpoint_steps=steps,
        trace=trace,
        diverged_step=last if run.point is None and last < run.steps else None,
        states=states,
    )


def read_ends(model: Model, folder: Path) -> tuple[Variables, Variables]:
    """Returns the trained and the initial variables of a finished run."""
    like, state = _shapes(model)
    tensors = array_files.read_params(folder, _most_bytes((like, state), len(_TREES)))

    def end(name: str) -> Variables:
        params = _restore(like, tensors, f"{name}/")
        return Variables(params, _restore(state, tensors, f"{_STATE}{name}/"))

    return end("trained"), end("initial")


def _has(tensors: dict[str, np.ndarray], tree: str) -> bool:
    return any(name.startswith(f"{tree}/") or name == tree for name in tensors)


def _most_bytes(like: PyTree, count: int) -> int:
    """Returns the largest size of a file with `count` copies of the parameters."""
    leaves = jax.tree.leaves(like)
    return count * sum(leaf.size * leaf.dtype.itemsize + _HEADER for leaf in leaves) + _HEADER


def _shapes(model: Model) -> tuple[PyTree, PyTree]:
    """Returns the shapes of the parameters and of the state of a model."""
    key = jax.random.key(0)
    return jax.eval_shape(model.init, key), jax.eval_shape(model.init_state, key)


def _states(trees: PyTree) -> dict[str, np.ndarray]:
    return {f"{_STATE}{name}": array for name, array in _tensors(trees).items()}


def _tensors(tree: PyTree) -> dict[str, np.ndarray]:
    return {_name(path): np.asarray(a) for path, a in jax.tree_util.tree_leaves_with_path(tree)}


def _restore(like: PyTree, tensors: dict[str, np.ndarray], prefix: str, axes: int = 0) -> PyTree:
    """Returns the parameters in the tensors of a file, which have `axes` leading axes.

    Raises KeyError if one is missing, ValueError if its shape is not that of the model.
    """

    def restore(path: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        tensor = tensors[f"{prefix}{_name(path)}".rstrip("/")]
        if tensor.shape[axes:] != leaf.shape or tensor.dtype != leaf.dtype:
            raise ValueError(f"{_name(path)} has the shape {tensor.shape}, its model {leaf.shape}")
        return jax.device_put(tensor)

    return jax.tree_util.tree_map_with_path(restore, like)


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
