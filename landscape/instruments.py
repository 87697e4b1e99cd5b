"""Compiled functions that measure a point: what slices, curvature and checks are made of."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape import curvature, slices
from landscape.config import Run
from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model
from landscape.rays import Rays, ray_tracer
from landscape.risk import Examples, Loss, evaluator, over_batches
from landscape.train import Metric

PyTree = Any
PRODUCTS = {
    "hessian": curvature.hessian_product,
    "gauss_newton": curvature.gauss_newton_product,
}
# Where no curvature is asked for, but an eigenvector as a direction is.
ITERATIONS = 60


class Spectrum(NamedTuple):
    """Of one operator: its extreme eigenpairs, trace samples, quadrature, and itself if small.

    `iterations` is the number of steps of Lanczos: as asked, and at least twice the eigenvalues.
    """

    extremes: Callable[..., curvature.Extremes]
    traces: Callable[..., curvature.TraceSamples]
    quadrature: Callable[..., tuple[jax.Array, jax.Array]]
    dense: Callable[..., jax.Array]
    iterations: int


class Instruments(NamedTuple):
    """Each is compiled when it is first used, and then once for all runs of one program.

    slice: as `slices.slicer`, of risk and metrics
    eigenvalues: `eigenvalues(iterations)` is a slicer of the Hessian's extreme eigenvalues
    gradient: `gradient(params, examples)` of the risk on the evaluation set
    rays: as `rays.ray_tracer`
    spectra: by operator
    predict: `predict(params, examples) -> predictions`
    risk_of: `risk_of(predictions, examples)`, the risk of predictions made by any model
    metrics_of: the task metrics of predictions
    """

    slice: Callable[..., dict[str, jax.Array]]
    eigenvalues: Callable[[int], Callable[..., dict[str, jax.Array]]]
    gradient: Callable[[PyTree, Examples], PyTree]
    rays: Callable[..., Rays]
    spectra: dict[str, Spectrum]
    predict: Callable[[PyTree, Examples], jax.Array]
    risk_of: Callable[[jax.Array, Examples], jax.Array]
    metrics_of: Callable[[jax.Array, Examples], dict[str, jax.Array]]


def build(
    run: Run, loss: Loss, model: Model, measured: Sequence[Metric], task_metrics: Sequence[Metric]
) -> Instruments:
    """The instruments of a run; `measured` are the metrics that slices record."""
    size = run.evaluation.batch_size
    with_gradients = run.slices is not None and run.slices.gradients
    measure = slices.point_measure(loss, model, measured, batch_size=size, gradients=with_gradients)
    plain = evaluator(loss, model, batch_size=size, gradients=False)
    steep = evaluator(loss, model, batch_size=size, gradients=True)

    def risk_of(predictions: jax.Array, examples: Examples) -> jax.Array:
        made = Examples(predictions, examples.targets)
        return over_batches(
            lambda batch: ({"risk": jnp.mean(loss(batch.inputs, batch.targets))}, {}), made, size
        )[0]["risk"]

    def metrics_of(predictions: jax.Array, examples: Examples) -> dict[str, jax.Array]:
        snapshot = Snapshot(predictions, examples.targets)
        found: dict[str, jax.Array] = {}
        for metric in task_metrics:
            found |= metric(snapshot)
        return found

    return Instruments(
        slice=jax.jit(slices.slicer(measure)),
        eigenvalues=functools.cache(lambda iterations: _eigenvalues(loss, model, size, iterations)),
        gradient=jax.jit(lambda params, examples: steep(params, examples).gradients),
        rays=ray_tracer(loss, model, batch_size=size),
        spectra={name: _spectrum(run, name, loss, model) for name in PRODUCTS},
        predict=jax.jit(lambda params, examples: plain(params, examples).predictions),
        risk_of=jax.jit(risk_of),
        metrics_of=jax.jit(metrics_of),
    )


def _spectrum(run: Run, name: str, loss: Loss, model: Model) -> Spectrum:
    asked = run.curvature
    count = max([_eigenvectors(run), 1 if asked is None else asked.eigenvalues])
    iterations = max(ITERATIONS if asked is None else asked.iterations, 2 * count)
    probes = 2 if asked is None else asked.probes
    product = PRODUCTS[name](loss, model, batch_size=run.evaluation.batch_size)
    return Spectrum(
        extremes=jax.jit(curvature.extremes(product, count=count, iterations=iterations)),
        traces=jax.jit(curvature.traces(product, probes=probes)),
        quadrature=jax.jit(curvature.quadrature(product, probes=probes, iterations=iterations)),
        dense=jax.jit(curvature.dense(product)),
        iterations=iterations,
    )


def _eigenvectors(run: Run) -> int:
    """How many eigenvectors of each end the directions of the run name."""
    directions = [] if run.slices is None else run.slices.directions()
    indices = [d.options.get("index", 1) for d in directions if d.name == "eigenvector"]
    return max([index for index in indices if isinstance(index, int)], default=0)


def _eigenvalues(
    loss: Loss, model: Model, batch_size: int, iterations: int
) -> Callable[..., dict[str, jax.Array]]:
    """A slicer of the smallest and largest Ritz values, every point from the same start vector."""
    product = curvature.hessian_product(loss, model, batch_size=batch_size)
    nodes_at = curvature.quadrature(product, probes=1, iterations=iterations)

    def measure(params: PyTree, examples: Examples) -> dict[str, jax.Array]:
        nodes, _ = nodes_at(jax.random.key(0), params, examples)
        return {"eigenvalue/smallest": jnp.min(nodes), "eigenvalue/largest": jnp.max(nodes)}

    return jax.jit(slices.slicer(measure))
