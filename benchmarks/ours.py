"""The contestants of landscape."""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import problems

from landscape.numerics import slices
from landscape.numerics.compiling import use_all_cores
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.recording import Recording, recorded_steps
from landscape.numerics.risk import Examples
from landscape.numerics.train import TrainingInputs, run_in_pieces, trainer
from landscape.parts.losses.multiclass import softmax_cross_entropy
from landscape.parts.metrics import columns, dead_gradients, gradient_norm, update_ratio
from landscape.parts.metrics.classification import accuracy, f1
from landscape.parts.optimizers import adam
from landscape.run.program import compiled_loop

use_all_cores()
SCORES = columns({"accuracy": accuracy(), "f1": f1()})
HEALTH = [gradient_norm(), update_ratio(), dead_gradients()]


def plane(
    problem: str,
    weights: str,
    points: int,
    hoist: bool,
    scores: bool = False,
    gradients: bool = False,
) -> Callable[[], np.ndarray]:
    """Computes the mean cross entropy on a plane as `landscape run` does."""
    model, data = problems.model(problem), problems.data(problem)
    params, *directions = problems.load(model, Path(weights))
    grid = slices.grid((points, points), 1.0)
    loss = Loss(softmax_cross_entropy, classes=problems.CLASSES)
    measurements = [SCORES] if scores else []
    slice_points = slices.slicer(
        slices.PointMeasure(model, measurements, problems.EVALUATION_BATCH, gradients, hoist)
    )
    examples = Examples(jnp.asarray(data.inputs), Targets(jnp.asarray(data.labels)))
    planes = [tuple(directions)]
    return lambda: slice_points(loss, params, planes, grid.points, examples)["risk"][0]


def training(
    problem: str, weights: str, order: str, steps: int, record_every: int
) -> Callable[[], np.ndarray]:
    """Trains by Adam with all records of `landscape run`; returns risks on the evaluation set."""
    model, data = problems.model(problem), problems.data(problem)
    params = problems.load(model, Path(weights))[0]
    record_at = recorded_steps(steps, record_every)
    recording = Recording([SCORES, *HEALTH], problems.EVALUATION_BATCH, 1e-7, 1e3)
    pure = trainer(model, lambda numbers: adam(), recording, elementwise=True)
    loop = compiled_loop(pure.begin, pure.advance)
    inputs = TrainingInputs(
        optimizer={},
        params=params,
        training=Examples(jnp.asarray(data.inputs), Targets(jnp.asarray(data.labels))),
        evaluation=problems.evaluation(data),
        order=jnp.asarray(np.load(order)),
        record_at=jnp.asarray(record_at, jnp.int32),
        slots=jnp.zeros(len(record_at), jnp.int32),
    )
    loss = Loss(softmax_cross_entropy, classes=problems.CLASSES)
    return lambda: run_in_pieces(loop, loss, inputs).rows["risk/evaluation"]
