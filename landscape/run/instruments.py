"""Compiled functions that measure a point: slices, curvature, and checks are made of them."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.config import Run
from landscape.numerics import curvature, slices
from landscape.numerics.example_stream import ExampleStream, StreamFunctions, stream_functions
from landscape.numerics.float64_probes import RayTracer, ray_tracer
from landscape.numerics.loss import Objective
from landscape.numerics.point_width import PointWidth
from landscape.numerics.risk import (
    BatchMeasure,
    Examples,
    evaluator,
    loss_metric_columns,
    over_batches,
)
from landscape.parts.metrics import Measurement, Metric, Snapshot, gradient_norm
from landscape.parts.models import Model

PyTree = Any
PRODUCTS = {
    "hessian": curvature.hessian_product,
    "gauss_newton": curvature.gauss_newton_product,
}
# Lanczos steps for an eigenvector as a direction, if the config has no `curvature`.
ITERATIONS = 60


class Spectrum(NamedTuple):
    """Of one operator: its extreme eigenpairs, trace samples, quadrature, and dense matrix.

    Each takes the loss first. `extremes(loss, scale, key, params, examples)` are those of S H S, S
    the diagonal matrix of `scale`, so that one program serves H and |θ| H |θ|. `iterations` is the
    number of Lanczos steps: as configured, and at least twice the number of eigenvalues.
    """

    extremes: Callable[..., curvature.Extremes]
    traces: Callable[..., curvature.TraceSamples]
    quadrature: Callable[..., tuple[jax.Array, jax.Array]]
    dense: Callable[..., jax.Array]
    iterations: int


class Instruments(NamedTuple):
    """Measurements of a model under any loss, each compiled once per structure of the loss.

    slice: see `slices.slicer`, of risk and metrics
    eigenvalues: `eigenvalues(iterations)` is a slicer of the Hessian's extreme eigenvalues
    gradient: `gradient(loss, params, examples)` of the risk
    rays: see `float64_probes.ray_tracer`
    spectra: by operator
    risk: `risk(loss, params, examples)`, as a slice measures it
    predict: `predict(params, examples) -> predictions`, with the batch statistics of training
    risk_of: `risk_of(loss, predictions, examples)`, the risk of predictions of any model
    metrics_of: `metrics_of(predictions, examples, tuned_on)`, the task metrics; thresholds are
        chosen on the predictions and examples `tuned_on`, if it is not None
    thresholds_of: `thresholds_of(predictions, examples)`, the thresholds of the probability that
        metrics choose
    width: how many points a slice evaluates side by side
    row: `row(loss, params, examples)`, what training records at a step, as far as a point has it
    streamed: None, unless the examples stream from the host: then slices are measured by these
        functions, and only `gradient`, `risk` and `row` are used beside them
    """

    slice: slices.Slicer
    eigenvalues: Callable[[int], Callable[..., dict[str, jax.Array]]]
    gradient: Callable[[Objective, PyTree, Any], PyTree]
    rays: RayTracer
    spectra: dict[str, Spectrum]
    risk: Callable[[Objective, PyTree, Any], Any]
    predict: Callable[[PyTree, Examples], jax.Array]
    risk_of: Callable[[Objective, jax.Array, Examples], jax.Array]
    metrics_of: Callable[..., dict[str, jax.Array]]
    thresholds_of: Callable[[jax.Array, Examples], dict[str, jax.Array]]
    width: PointWidth
    row: Callable[[Objective, PyTree, Any], dict[str, Any]]
    streamed: StreamFunctions | None = None


def build_instruments(
    run: Run,
    model: Model,
    measurements: Sequence[Measurement],
    metrics: Mapping[str, Metric],
    width: PointWidth,
    recorded: Sequence[Measurement],
) -> Instruments:
    """Returns the instruments of all runs that share this model and these settings.

    `measurements` are those of a point of a slice, `recorded` those of a row of the trace.
    """
    batch_size, settings = run.evaluation.batch_size, run.slices
    kind = "frozen" if settings is None else settings.batch_statistics
    measured = model.with_batch_statistics(kind)
    point_measure = slices.PointMeasure(
        measured,
        measurements,
        batch_size,
        gradients=settings is not None and settings.gradients,
        hoisted=settings is None or settings.hoist,
    )
    evaluate = evaluator(measured, batch_size=batch_size, gradients=True)
    evaluate_values = evaluator(measured, batch_size=batch_size, gradients=False)

    def risk(loss: Objective, params: PyTree, examples: Examples) -> jax.Array:
        return evaluate_values(loss, params, examples).risk

    def gradient(loss: Objective, params: PyTree, examples: Examples) -> PyTree:
        return evaluate(loss, params, examples).gradients

    def eigenvalues(iterations: int) -> Callable[..., dict[str, jax.Array]]:
        return jax.jit(_eigenvalue_slicer(measured, batch_size, iterations))

    return Instruments(
        slice=slices.slicer(point_measure, width),
        eigenvalues=functools.cache(eigenvalues),
        gradient=jax.jit(gradient),
        rays=ray_tracer(measured, batch_size=batch_size),
        spectra={name: _spectrum(run, name, measured) for name in PRODUCTS},
        risk=jax.jit(risk),
        predict=jax.jit(_predictor(model, batch_size)),
        risk_of=jax.jit(_risk_of_predictions(batch_size)),
        metrics_of=jax.jit(_metrics_of_predictions(metrics)),
        thresholds_of=jax.jit(_thresholds_of_predictions(metrics)),
        width=width,
        row=jax.jit(_row(model, batch_size, recorded)),
    )


def with_stream(instruments: Instruments, run: Run, model: Model) -> Instruments:
    """Returns instruments whose examples are an `ExampleStream`."""
    kind = "frozen" if run.slices is None else run.slices.batch_statistics
    measured = stream_functions(model.with_batch_statistics(kind))
    at_point = stream_functions(model)
    norms = jax.jit(lambda gradient: gradient_norm()(_of_gradient(gradient)))

    def row(loss: Objective, params: PyTree, stream: ExampleStream) -> dict[str, Any]:
        risk, gradient = at_point.risk_and_gradient(loss, params, stream)
        return {"risk/evaluation": risk, **norms(gradient)}

    return instruments._replace(
        gradient=lambda *arguments: measured.risk_and_gradient(*arguments)[1],
        risk=lambda *arguments: measured.risk_and_gradient(*arguments)[0],
        row=row,
        streamed=measured,
    )


def _of_gradient(gradient: PyTree) -> Snapshot:
    nothing = jnp.zeros(0)
    return Snapshot(nothing, nothing, gradients=gradient, evaluation_gradients=gradient)


def _row(
    model: Model, batch_size: int, recorded: Sequence[Measurement]
) -> Callable[[Objective, PyTree, Examples], dict[str, jax.Array]]:
    evaluate = evaluator(model, batch_size=batch_size, gradients=True)
    loss_metrics = loss_metric_columns(batch_size)

    def row(loss: Objective, params: PyTree, examples: Examples) -> dict[str, jax.Array]:
        evaluation = evaluate(loss, params, examples)
        snapshot = Snapshot(
            predictions=evaluation.predictions,
            targets=examples.targets.values,
            fields=examples.targets.fields,
            prediction_gradients=evaluation.prediction_gradients,
            params=params,
            # Without a batch of a step, both are the gradient on the evaluation set.
            gradients=evaluation.gradients,
            evaluation_gradients=evaluation.gradients,
            filter_axes=model.filter_axes(params),
        )
        values = {"risk/evaluation": evaluation.risk}
        for measure in recorded:
            values |= measure(snapshot)
        return values | loss_metrics(loss, evaluation.predictions, examples)

    return row


def _predictor(model: Model, batch_size: int) -> Callable[[PyTree, Examples], jax.Array]:
    def predict(params: PyTree, examples: Examples) -> jax.Array:
        def measure(batch: Examples) -> BatchMeasure:
            predictions = model.predict(params, batch.inputs, batch.state)
            return BatchMeasure({}, {"predictions": predictions})

        return over_batches(measure, examples, batch_size).rows["predictions"]

    return predict


def _risk_of_predictions(batch_size: int) -> Callable[[Objective, jax.Array, Examples], jax.Array]:
    def risk_of(loss: Objective, predictions: jax.Array, examples: Examples) -> jax.Array:
        def measure(batch: Examples) -> BatchMeasure:
            return BatchMeasure({"risk": loss.mean(batch.inputs, batch.targets)}, {})

        predicted = Examples(predictions, examples.targets)
        return over_batches(measure, predicted, batch_size).means["risk"]

    return risk_of


def _metrics_of_predictions(
    metrics: Mapping[str, Metric],
) -> Callable[..., dict[str, jax.Array]]:
    def metrics_of(
        predictions: jax.Array,
        examples: Examples,
        tuned_on: tuple[jax.Array, Examples] | None = None,
    ) -> dict[str, jax.Array]:
        snapshot = _snapshot(predictions, examples)
        other = None if tuned_on is None else _snapshot(*tuned_on)
        return {name: metric(snapshot, other) for name, metric in metrics.items()}

    return metrics_of


def _thresholds_of_predictions(
    metrics: Mapping[str, Metric],
) -> Callable[[jax.Array, Examples], dict[str, jax.Array]]:
    def thresholds_of(predictions: jax.Array, examples: Examples) -> dict[str, jax.Array]:
        snapshot = _snapshot(predictions, examples)
        tuned = {name: metric.tune for name, metric in metrics.items() if metric.tune is not None}
        return {name: jax.nn.sigmoid(tune(snapshot)) for name, tune in tuned.items()}

    return thresholds_of


def _snapshot(predictions: jax.Array, examples: Examples) -> Snapshot:
    return Snapshot(predictions, examples.targets.values, fields=examples.targets.fields)


def _spectrum(run: Run, operator: str, model: Model) -> Spectrum:
    settings = run.curvature
    count = max([_eigenvectors(run), 1 if settings is None else settings.eigenvalues])
    iterations = max(ITERATIONS if settings is None else settings.iterations, 2 * count)
    probes = 2 if settings is None else settings.probes
    product = PRODUCTS[operator](model, batch_size=run.evaluation.batch_size)

    def under_loss(configure: Callable[[curvature.Product], Callable]) -> Callable:
        return jax.jit(lambda loss, *args: configure(functools.partial(product, loss))(*args))

    def extremes(
        loss: Objective, scale: PyTree, key: jax.Array, params: PyTree, examples: Examples
    ) -> curvature.Extremes:
        scaled = curvature.scaled(functools.partial(product, loss), scale)
        return curvature.extremes(scaled, count=count, iterations=iterations)(key, params, examples)

    return Spectrum(
        extremes=jax.jit(extremes),
        traces=under_loss(functools.partial(curvature.traces, probes=probes)),
        quadrature=under_loss(
            functools.partial(curvature.quadrature, probes=probes, iterations=iterations)
        ),
        dense=under_loss(curvature.dense),
        iterations=iterations,
    )


def _eigenvectors(run: Run) -> int:
    """Returns how many eigenvectors of each end the directions of the run refer to."""
    directions = [] if run.slices is None else run.slices.directions()
    indices = [d.options.get("index", 1) for d in directions if d.name == "eigenvector"]
    return max([index for index in indices if isinstance(index, int)], default=0)


def _eigenvalue_slicer(
    model: Model, batch_size: int, iterations: int
) -> Callable[..., dict[str, jax.Array]]:
    """A slicer of the smallest and largest Ritz values, with one start vector for all points."""
    product = curvature.hessian_product(model, batch_size=batch_size)

    def measure(loss: Objective, params: PyTree, examples: Examples) -> dict[str, jax.Array]:
        under_loss = functools.partial(product, loss)
        rule = curvature.quadrature(under_loss, probes=1, iterations=iterations)
        nodes, _ = rule(jax.random.key(0), params, examples)
        return {"eigenvalue/smallest": jnp.min(nodes), "eigenvalue/largest": jnp.max(nodes)}

    return slices.mapper(measure)
