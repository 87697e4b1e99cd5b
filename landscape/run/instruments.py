"""Compiled functions that measure a point: what slices, curvature and checks are made of."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.config import Run
from landscape.numerics import curvature, slices
from landscape.numerics.float64_probes import Rays, ray_tracer
from landscape.numerics.point_width import PointWidth
from landscape.numerics.risk import Examples, Loss, Numbers, evaluator, over_batches
from landscape.numerics.train import Metric
from landscape.parts.metrics import Snapshot
from landscape.parts.models import Model

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
    width: how many points a slice evaluates side by side
    """

    slice: Callable[..., dict[str, jax.Array]]
    eigenvalues: Callable[[int], Callable[..., dict[str, jax.Array]]]
    gradient: Callable[[PyTree, Examples], PyTree]
    rays: Callable[..., Rays]
    spectra: dict[str, Spectrum]
    predict: Callable[[PyTree, Examples], jax.Array]
    risk_of: Callable[[jax.Array, Examples], jax.Array]
    metrics_of: Callable[[jax.Array, Examples], dict[str, jax.Array]]
    width: PointWidth


def build(
    run: Run,
    loss_of: Callable[[Numbers], Loss],
    model: Model,
    measured: Sequence[Metric],
    task_metrics: Sequence[Metric],
    width: PointWidth,
) -> Callable[[Numbers], Instruments]:
    """The instruments of runs that differ in numbers at most, given those numbers.

    `measured` are the metrics that slices record, `width` is how many points they evaluate side by
    side.
    """
    size = run.evaluation.batch_size
    asked = run.slices
    slicer = slices.slicer(
        loss_of,
        model,
        measured,
        batch_size=size,
        gradients=asked is not None and asked.gradients,
        hoisted=asked is None or asked.hoist,
        width=width,
    )
    rays = ray_tracer(loss_of, model, batch_size=size)

    def compiled(make: Callable[[Loss], Callable]) -> Callable:
        return jax.jit(lambda numbers, *arguments: make(loss_of(numbers))(*arguments))

    def gradient(loss: Loss) -> Callable[[PyTree, Examples], PyTree]:
        steep = evaluator(loss, model, batch_size=size, gradients=True)
        return lambda params, examples: steep(params, examples).gradients

    def risk(loss: Loss) -> Callable[[jax.Array, Examples], jax.Array]:
        return lambda predictions, examples: _risk_of(loss, predictions, examples, size)

    def metrics_of(predictions: jax.Array, examples: Examples) -> dict[str, jax.Array]:
        snapshot = Snapshot(predictions, examples.targets)
        return {k: v for metric in task_metrics for k, v in metric(snapshot).items()}

    gradient_at, risk_of = compiled(gradient), compiled(risk)
    spectra = {name: _spectrum(run, name, compiled, model) for name in PRODUCTS}
    eigenvalues = functools.cache(lambda count: compiled(_eigenvalues(model, size, count)))
    metrics = jax.jit(metrics_of)

    def bound(numbers: Numbers) -> Instruments:
        def given(function: Callable) -> Callable:
            return functools.partial(function, numbers)

        return Instruments(
            slice=given(slicer),
            eigenvalues=lambda iterations: given(eigenvalues(iterations)),
            gradient=given(gradient_at),
            rays=given(rays),
            spectra={name: _bound(spectrum, given) for name, spectrum in spectra.items()},
            predict=predictor(model, size),
            risk_of=given(risk_of),
            metrics_of=metrics,
            width=width,
        )

    return bound


@functools.cache
def predictor(model: Model, batch_size: int) -> Callable[[PyTree, Examples], jax.Array]:
    """`predict(params, examples) -> predictions`: one for all losses of a model."""

    def predict(params: PyTree, examples: Examples) -> jax.Array:
        return over_batches(
            lambda batch: ({}, {"predictions": model.apply(params, batch.inputs)}),
            examples,
            batch_size,
        )[1]["predictions"]

    return jax.jit(predict)


def _risk_of(loss: Loss, predictions: jax.Array, examples: Examples, batch_size: int) -> jax.Array:
    made = Examples(predictions, examples.targets)
    return over_batches(
        lambda batch: ({"risk": jnp.mean(loss(batch.inputs, batch.targets))}, {}), made, batch_size
    )[0]["risk"]


def _spectrum(
    run: Run, name: str, compiled: Callable[[Callable[[Loss], Callable]], Callable], model: Model
) -> Spectrum:
    asked = run.curvature
    count = max([_eigenvectors(run), 1 if asked is None else asked.eigenvalues])
    iterations = max(ITERATIONS if asked is None else asked.iterations, 2 * count)
    probes = 2 if asked is None else asked.probes

    def product(loss: Loss) -> Callable:
        return PRODUCTS[name](loss, model, batch_size=run.evaluation.batch_size)

    return Spectrum(
        extremes=compiled(
            lambda loss: curvature.extremes(product(loss), count=count, iterations=iterations)
        ),
        traces=compiled(lambda loss: curvature.traces(product(loss), probes=probes)),
        quadrature=compiled(
            lambda loss: curvature.quadrature(product(loss), probes=probes, iterations=iterations)
        ),
        dense=compiled(lambda loss: curvature.dense(product(loss))),
        iterations=iterations,
    )


def _bound(spectrum: Spectrum, given: Callable[[Callable], Callable]) -> Spectrum:
    functions: dict[str, Any] = {
        name: given(getattr(spectrum, name)) for name in Spectrum._fields[:-1]
    }
    return spectrum._replace(**functions)


def _eigenvectors(run: Run) -> int:
    """How many eigenvectors of each end the directions of the run name."""
    directions = [] if run.slices is None else run.slices.directions()
    indices = [d.options.get("index", 1) for d in directions if d.name == "eigenvector"]
    return max([index for index in indices if isinstance(index, int)], default=0)


def _eigenvalues(
    model: Model, batch_size: int, iterations: int
) -> Callable[[Loss], Callable[..., dict[str, jax.Array]]]:
    """A slicer of the smallest and largest Ritz values, every point from the same start vector."""

    def make(loss: Loss) -> Callable[..., dict[str, jax.Array]]:
        product = curvature.hessian_product(loss, model, batch_size=batch_size)
        nodes_at = curvature.quadrature(product, probes=1, iterations=iterations)

        def measure(params: PyTree, examples: Examples) -> dict[str, jax.Array]:
            nodes, _ = nodes_at(jax.random.key(0), params, examples)
            return {"eigenvalue/smallest": jnp.min(nodes), "eigenvalue/largest": jnp.max(nodes)}

        return slices.mapper(measure)

    return make
