"""The arrays that a run starts from: keys, initial parameters, examples, and data order."""

import zlib
from typing import Any

import jax
import numpy as np

from landscape.config import Run
from landscape.numerics.loss import Targets
from landscape.numerics.recording import checkpoint_slots, recorded_steps
from landscape.numerics.risk import Examples
from landscape.numerics.step import Numbers
from landscape.numerics.train import (
    TrainingInputs,
)
from landscape.numerics.training_order import draw_order
from landscape.parts.datasets import Dataset, Split
from landscape.parts.models import Model, scale_weights
from landscape.parts.tasks import named

PyTree = Any


def seed_key(seed: int, purpose: str) -> jax.Array:
    """Returns a key for one purpose, so that a new use of randomness never changes an old one."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def initial_params(run: Run, model: Model) -> PyTree:
    """Returns the initialization that all losses of one seed share, at the scale of the config."""
    params = model.init(seed_key(run.seed, "initial parameters"))
    factor = run.model.initialization
    return params if factor == 1 else scale_weights(model, params, factor)


def initial_state(run: Run, model: Model) -> PyTree:
    """Returns the state that belongs to `initial_params`; None for a model without one."""
    return model.init_state(seed_key(run.seed, "initial parameters"))


def checkpoint_count(run: Run) -> int:
    """Returns how many checkpoints a run keeps: as configured, at most one per recorded step.

    Those of a point that was trained elsewhere are all kept.
    """
    if run.point is not None:
        return run.checkpoints
    return min(run.checkpoints, len(recorded_steps(run.steps, run.record_every)))


def evaluation_set(run: Run, data: Dataset) -> Examples:
    """Returns the evaluation examples, equal for all losses of a seed: a split or part of it."""
    split = data.splits[run.evaluation.split]
    count = len(split.targets)
    if run.evaluation.size is not None and run.evaluation.size < count:
        order = jax.random.permutation(seed_key(run.seed, "evaluation set"), count)
        grouped = _by_group(np.asarray(order), split, data)
        split = split.take(grouped[: run.evaluation.size])
    return split_examples(split)


def _group_codes(split: Split, data: Dataset) -> np.ndarray | None:
    """Returns the number of the group of each example that a batch keeps together, from 0."""
    name = named(data.task).order_by
    if name is None:
        return None
    return np.unique(split.fields[name], return_inverse=True)[1].reshape(-1)


def _by_group(order: np.ndarray, split: Split, data: Dataset) -> np.ndarray:
    """Returns the order with groups in one piece each, at the place of their first example."""
    codes = _group_codes(split, data)
    if codes is None:
        return order
    first = np.unique(codes[order], return_index=True)[1]
    return order[np.argsort(first[codes[order]], kind="stable")]


def split_examples(split: Split) -> Examples:
    """Returns the examples of a split on the device."""
    targets = Targets(split.targets, dict(split.fields))
    return Examples(jax.device_put(split.inputs), jax.tree.map(jax.device_put, targets))


def split_bytes(split: Split) -> int:
    """Returns the bytes of the arrays of a split."""
    arrays = jax.tree.leaves((split.inputs, split.targets, dict(split.fields)))
    return sum(array.nbytes for array in arrays)


def evaluation_batch_sizes(run: Run, data: Dataset) -> set[int]:
    """Returns the sizes of the batches of the evaluation set and, for slices, of its halves."""
    split = data.splits[run.evaluation.split]
    count = min(len(split.targets), run.evaluation.size or len(split.targets))
    counts = [count] if run.slices is None else [count, max(count // 2, 1)]
    largest = run.evaluation.batch_size
    return {size for n in counts for size in (min(n, largest), n % largest)} - {0}


def training_inputs(
    run: Run, model: Model, optimizer: Numbers, data: Dataset, evaluation: Examples
) -> TrainingInputs:
    """Returns the arguments of training; `optimizer` holds its traced options."""
    key, count = seed_key(run.seed, "data order"), len(data.train.targets)
    groups = _group_codes(data.train, data)
    order = draw_order(key, count, run.steps, run.batch_size, groups)
    record_at = recorded_steps(run.steps, run.record_every)
    slots = checkpoint_slots(record_at, run.checkpoints)
    return TrainingInputs(
        optimizer=optimizer,
        params=initial_params(run, model),
        training=split_examples(data.train),
        evaluation=evaluation,
        order=order,
        record_at=jax.device_put(np.asarray(record_at, np.int32)),
        slots=jax.device_put(np.asarray(slots, np.int32)),
        state=initial_state(run, model),
        key=None if model.training is None else seed_key(run.seed, "training mode"),
    )
