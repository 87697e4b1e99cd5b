"""The metrics of a run, by the names of their columns: the first one judges."""

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from landscape import catalog
from landscape.config import MetricPart, Run, metric_names
from landscape.errors import UserError
from landscape.numerics.loss import Targets
from landscape.numerics.loss_arguments import loss_arguments, options_beside, parameters_of
from landscape.numerics.user_calls import definition, guarded
from landscape.parts.metrics import Metric, Snapshot
from landscape.parts.tasks import Task
from landscape.run.preflight import call_part

_HINT = (
    "return landscape.parts.metrics.Metric(function, higher_is_better=...), or define "
    "f(predictions, targets) and set `better: lower` or `better: higher`"
)


def build_metrics(run: Run, task: Task) -> dict[str, Metric]:
    """Returns the metrics of the config, else those of the task, with the judging one first.

    Raises UserError if one of them has no direction or is not defined for the task.
    """
    parts = run.metrics or _default_parts(run, task)
    if not parts and run.point is not None:
        return {}  # judged by its risk
    if not parts:
        hint = 'for example `metrics: [{name: "my_metrics.py:error", better: lower}]`'
        raise UserError(f"the task {task.name} has no usual metric; set `metrics`", hint=hint)
    metrics = {
        name: _build(part, run, task) for name, part in zip(metric_names(parts), parts, strict=True)
    }
    first = run.judge_by or next(iter(metrics))
    return {first: metrics[first]} | metrics


def _default_parts(run: Run, task: Task) -> tuple[MetricPart, ...]:
    first = () if run.judge_by is None else (run.judge_by,)
    return tuple(MetricPart(name=name) for name in dict.fromkeys((*first, *task.metrics)))


def _build(part: MetricPart, run: Run, task: Task) -> Metric:
    function = catalog.build("metrics", part, folder=run.folder)
    assert isinstance(function, functools.partial)
    name = f"metric `{part.name}`"
    if catalog.takes_arrays(function.func):
        return _of_arrays(function, part)
    if part.better is not None:
        raise UserError(
            f"{name} states its own direction; found `better: {part.better}` in the config",
            hint="remove `better`, which is for a function f(predictions, targets)",
            part=part.name,
        )
    _require_options(function, name, part)
    options = _options_of_task(function, run)
    metric = call_part(lambda: function(**options), name, part, function)
    if not isinstance(metric, Metric):
        raise UserError(
            f"{name} does not state whether higher or lower values are better",
            place=definition(function),
            hint=_HINT,
            part=part.name,
        )
    judges_point = task.point is not None and "regression" in metric.tasks
    if judges_point and task.name not in metric.tasks:
        return _of_point(metric, task.point)
    if metric.tasks and task.name not in metric.tasks:
        raise UserError(
            f"{name} is defined for {' and '.join(metric.tasks)}, but dataset "
            f"`{run.dataset.name}` is {task.name}",
            hint=f"metrics for {task.name}: {', '.join(_metrics_for(task))}",
            part=part.name,
        )
    if metric.tune is not None and run.evaluation.split != "validation":
        raise UserError(
            f"{name} has `threshold: validation`, but `evaluation.split` is "
            f"{run.evaluation.split}: the threshold is chosen on the evaluation set",
            hint="set `evaluation.split: validation`, or a number as the threshold",
            part=part.name,
        )
    return metric


def _metrics_for(task: Task) -> list[str]:
    """Returns the metrics of the menu that are defined for a task, its usual ones first."""
    tasks = {name: _tasks_of(name) for name in catalog.menu("metrics")}
    quantities = {"regression"} if task.point is not None else set()
    fitting = [name for name, of in tasks.items() if {task.name, *quantities} & set(of)]
    return list(dict.fromkeys((*task.metrics, *fitting)))


def _tasks_of(name: str) -> tuple[str, ...]:
    """Returns the tasks for which a metric of the menu is defined; empty if for all."""
    metric = catalog.build("metrics", MetricPart(name=name), folder=Path())()
    return metric.tasks if isinstance(metric, Metric) else ()


def _require_options(function: functools.partial[Any], name: str, part: MetricPart) -> None:
    """Raises UserError for options without a value, such as a snapshot that is not an option."""
    parameters = (parameters_of(function) or {}).values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    missing = [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]
    if missing:
        raise UserError(
            f"{name} needs the option `{missing[0]}`",
            place=definition(function),
            hint=f"set it beside the name of the metric; without options, {_HINT}",
            part=part.name,
        )


def _options_of_task(function: functools.partial[Any], run: Run) -> dict[str, Any]:
    """Returns the task's values of those options that the config leaves to the task, as null."""
    if run.task is None:
        return {}
    unset = {
        name
        for name, parameter in inspect.signature(function.func).parameters.items()
        if function.keywords.get(name, parameter.default) is None
    }
    return {name: value for name, value in run.task.options.items() if name in unset}


def _of_point(metric: Metric, column: int | None) -> Metric:
    """Returns a metric of quantities for predictions of which one column is the quantity."""

    def function(snapshot: Snapshot) -> jax.Array:
        return metric.function(snapshot._replace(predictions=snapshot.predictions[:, column]))

    return dataclasses.replace(metric, function=function)


def _of_arrays(function: functools.partial[Any], part: MetricPart) -> Metric:
    """Returns the metric of a function `f(predictions, targets)` whose direction the config has."""
    if part.better is None:
        raise UserError(
            f"metric `{part.name}` does not state whether higher or lower values are better",
            place=definition(function),
            hint=f'write {{name: "{part.name}", better: lower}} or `better: higher`',
            part=part.name,
        )

    def score(snapshot: Snapshot) -> jax.Array:
        fields = snapshot.fields
        options = options_beside(fields, function.func, function.keywords)
        arguments = loss_arguments(function.func, options=options, fields=fields, what="metric")
        both = arguments.ordered(snapshot.predictions, snapshot.targets)
        taken = {name: fields[name] for name in arguments.fields}
        value: jax.Array = function.func(*both, **taken, **options)
        return value

    functools.update_wrapper(score, function.func)  # so that errors show the user's line
    return Metric(score, higher_is_better=part.better == "higher")


def check_metrics(metrics: Mapping[str, Metric], predictions: jax.Array, targets: Targets) -> None:
    """Raises UserError if a metric fails on predictions, or returns anything but a scalar."""
    snapshot = Snapshot(predictions, targets.values, fields=targets.fields)
    for name, metric in metrics.items():
        _check(name, metric, snapshot)


def check_target(target: float | None, metrics: Mapping[str, Metric]) -> None:
    """Raises UserError if no value of the metric that judges, the first one, meets the target."""
    if target is None:
        return
    name, metric = next(iter(metrics.items()))
    sign = 1 if metric.higher_is_better else -1
    if metric.best is not None and sign * target > sign * metric.best:
        raise UserError(
            f"`target` is {target:g}, but the best possible value of `{name}` is {metric.best:g}",
            hint="change the target, or remove it: the default is 95 % of the reference's gain",
        )


def _check(name: str, metric: Metric, snapshot: Snapshot) -> None:
    subject, function = f"metric `{name}`", metric.function
    value = guarded(lambda: jax.eval_shape(metric.score, snapshot), subject, function)
    place = definition(function)
    if not hasattr(value, "shape"):
        raise UserError(f"{subject} returns {type(value).__name__}, expected a scalar", place=place)
    if value.shape != ():
        raise UserError(
            f"{subject} returns an array of shape {value.shape}, expected a scalar",
            place=place,
            hint="reduce it, for example with jnp.mean",
        )
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise UserError(
            f"{subject} returns {value.dtype}, expected a floating-point scalar",
            place=place,
            hint="divide by a count, or use jnp.float32(...)",
        )
