"""Landscape's side of the races."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import problems

from landscape.numerics import slices
from landscape.numerics.compiling import jit_loop, jit_once, use_all_cores
from landscape.numerics.risk import Examples, from_labels
from landscape.numerics.train import Loop, recorded_steps, run, trainer
from landscape.parts import metrics
from landscape.parts.losses.multiclass import softmax_cross_entropy
from landscape.parts.optimizers import adam

use_all_cores()
METRICS = [metrics.accuracy, metrics.f1]
HEALTH = [metrics.gradient_norm, metrics.update_ratio, metrics.dead_gradients]


def plane(
    problem: str,
    weights: str,
    points: int,
    hoist: bool,
    scores: bool = False,
    gradients: bool = False,
) -> Callable[[], np.ndarray]:
    """The mean cross-entropy on a plane, as `landscape run` computes it."""
    model, data = problems.model(problem), problems.data(problem)
    params, *directions = problems.load(model, Path(weights))
    grid = slices.grid((points, points), 1.0)
    loss = from_labels(softmax_cross_entropy, problems.CLASSES)
    along = slices.slicer(
        lambda numbers: loss,
        model,
        [make() for make in METRICS] if scores else [],
        batch_size=problems.EVALUATION_BATCH,
        gradients=gradients,
        hoisted=hoist,
    )
    examples = Examples(jnp.asarray(data.inputs), jnp.asarray(data.labels))
    return lambda: along({}, params, tuple(directions), grid.points, examples)["risk"]


def training(
    problem: str, weights: str, order: str, steps: int, record_every: int
) -> Callable[[], np.ndarray]:
    """Adam with everything that `landscape run` records; returns risks on the evaluation set."""
    model, data = problems.model(problem), problems.data(problem)
    params = problems.load(model, Path(weights))[0]
    stops = recorded_steps(steps, record_every)
    pure = trainer(
        from_labels(softmax_cross_entropy, problems.CLASSES),
        model,
        adam(),
        [make() for make in [*METRICS, *HEALTH]],
        evaluation_batch=problems.EVALUATION_BATCH,
        vanishing=1e-7,
        exploding=1e3,
    )
    loop = Loop(jit_once(pure.begin), jit_loop(pure.advance, donate_argnums=0))
    given: Any = (
        params,
        Examples(jnp.asarray(data.inputs), jnp.asarray(data.labels)),
        problems.evaluation(data),
        jnp.asarray(np.load(order)),
        jnp.asarray(stops, jnp.int32),
        jnp.zeros(len(stops), jnp.int32),
    )
    return lambda: run(loop, given).rows["risk/evaluation"]
