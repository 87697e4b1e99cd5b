"""Looks at parameters that were trained elsewhere, without training."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from landscape import catalog, config
from landscape.adapters.adapted_model import AdaptedModel
from landscape.api.look_results import Look
from landscape.api.performing_experiments import perform
from landscape.api.python_parts import convert
from landscape.catalog import PythonObject
from landscape.config import Experiment
from landscape.errors import UserError
from landscape.parts.points import TrainedPoint
from landscape.run.point_data import with_arrays
from landscape.run.trained_points import digest
from landscape.storage import store
from landscape.sweep.executors.protocol import ExecutorSpec

PyTree = Any
# Fields of an adapted model that a point has too.
_ADAPTED = ("params", "apply", "state", "filter_axes", "training", "description")
_UNSET: Any = type("Unset", (), {"__repr__": lambda self: "the default"})()


def look(
    params: PyTree,
    data: Any = None,
    *,
    apply: Callable[..., Any] | None = None,
    loss: Any = None,
    risk: Callable[[PyTree, Any], Any] | None = None,
    task: str | Mapping[str, Any] | None = None,
    metrics: Sequence[Any] = (),
    filter_axes: Any = None,
    trainable: Callable[[str], bool] | None = None,
    state: PyTree = None,
    initial: PyTree = None,
    checkpoints: Sequence[PyTree] | Mapping[int, PyTree] | None = None,
    update: PyTree = None,
    slices: Mapping[str, Any] | None = _UNSET,
    curvature: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    audit: bool = False,
    seed: int = 0,
    name: str = "look",
    label: str = "mine",
    out: Path | str = "runs",
    fresh: bool = False,
    tell: Callable[[str], None] = print,
) -> Look:
    """Measures the risk around parameters that were trained elsewhere; returns the results.

    `params` is a pytree of arrays with `apply(params, inputs) -> predictions`, an adapted model of
    `landscape.adapters`, or a `TrainedPoint`. The risk is the mean of `loss(predictions, targets)`
    over `data=(inputs, targets)`; or of `risk(params, batch)` over batches of any structure.

    `loss`: a name of the menu, a function, or a loss of PyTorch. `task`: what predictions and
    targets are, which decides the metrics; by default that of a loss of the menu, else `custom`,
    which has none. `metrics`: names or functions with their direction. `filter_axes`: `first`,
    `last`, a function or a tree, see `TrainedPoint`. `trainable(path)`: selects the arrays that
    move. `state`: passed to `apply` as third argument. `initial`, `checkpoints`, `update`: for the
    directions `interpolation`, `trajectory` and `update`. `slices`, `curvature`, `evaluation`: the
    blocks of a config. `seed`: of the random directions.

    Results are in `out/name`, beside those of other labels. The same look is not repeated; `fresh`
    deletes all looks first. `tell` is called with a line at the end. Inputs are never changed.

    Raises UserError if parameters, data, model and loss do not fit, or if the risk is not finite.
    """
    _check_objective(loss, risk or getattr(params, "risk", None), metrics)
    fields = {"data": data, "apply": apply, "risk": risk, "filter_axes": filter_axes}
    fields |= {"trainable": trainable, "state": state, "initial": initial, "update": update}
    point = _point(params, **fields, checkpoints=checkpoints)
    blocks: dict[str, Any] = {"curvature": curvature, "evaluation": evaluation}
    blocks |= {"metrics": list(metrics) or None, "task": task or _task(loss)}
    settings = {key: value for key, value in blocks.items() if value is not None}
    settings |= {"audit": True} if audit else {}
    settings |= {} if slices is _UNSET else {"slices": slices}
    settings |= {"seeds": [seed], "name": name, "losses": [_loss(loss, label)]}
    experiment, objects = _experiment(point, settings)
    with catalog.available(objects):
        directory = perform(experiment, out, ExecutorSpec("serial", 1, None), fresh, True, tell)
    return _result(Look(directory, label))


def _point(params: PyTree, **fields: Any) -> TrainedPoint:
    """Returns the point of the arguments of `look`, with its data as arrays."""
    present = {key: value for key, value in fields.items() if value is not None}
    if isinstance(params, TrainedPoint):
        return _checked(params._replace(**present))
    if isinstance(params, AdaptedModel):
        adapted = {name: getattr(params, name) for name in _ADAPTED}
        if "apply" in present:
            raise UserError("found both an adapted model and `apply`", hint="remove `apply`")
        return _checked(TrainedPoint(**{**adapted, **present}))
    return _checked(TrainedPoint(params, **present))


def _checked(point: TrainedPoint) -> TrainedPoint:
    if point.apply is None and point.risk is None:
        raise UserError(
            "found neither `apply` nor `risk`, expected one of them",
            hint="pass apply=... and loss=..., or risk=..., a function of the parameters and a "
            "batch; or an adapted model such as landscape.adapters.flax(module, variables)",
        )
    return with_arrays(point)


def _check_objective(loss: Any, risk: Any, metrics: Sequence[Any]) -> None:
    """Raises UserError unless there is either a loss or a risk, and for metrics of a risk."""
    if risk is not None and len(metrics):
        raise UserError(
            "found `metrics`, functions of predictions and targets, but a `risk` has neither",
            hint="remove `metrics`, or measure them as risks of looks with other labels",
        )
    if (loss is None) == (risk is None):
        both = "neither `loss` nor `risk`" if loss is None else "both `loss` and `risk`"
        raise UserError(
            f"found {both}, expected one of them",
            hint="pass `loss`, a function of predictions and targets, with `apply`; or `risk`, a "
            "function of the parameters and a batch",
        )


def _loss(loss: Any, label: str) -> dict[str, Any]:
    """Returns the loss of a config; its name is empty if the point has a risk."""
    part = dict(loss) if isinstance(loss, Mapping) else {"name": loss or ""}
    return {**part, "label": label}


def _task(loss: Any) -> str | None:
    """Returns the task of a loss of the menu; None if the loss is not of the menu."""
    name = loss.get("name") if isinstance(loss, Mapping) else loss
    if not isinstance(name, str) or ":" in name:
        return None
    tasks = [str(entry.task) for entry in catalog.entries_named("losses", name)]
    if len(tasks) > 1:
        raise UserError(
            f"the loss `{name}` exists for several tasks: {', '.join(tasks)}",
            hint=f'pass the task, for example task="{tasks[0]}"',
        )
    return tasks[0] if tasks else None


def _experiment(
    point: TrainedPoint, settings: dict[str, Any]
) -> tuple[Experiment, dict[str, PythonObject]]:
    """Returns the experiment of a point and its settings, and the objects that it names."""
    converted = convert({"dataset": None, **settings})
    name = _name(point, converted.objects)
    losses = [{**loss, "name": loss["name"] or name} for loss in converted.values["losses"]]
    values = converted.values | {"point": name, "dataset": name, "model": name, "losses": losses}
    functions = point.apply, point.risk, point.trainable, point.filter_axes, point.training
    identity = (digest(point), point.description, *functions)
    objects = converted.objects | {name: PythonObject(lambda: point, identity)}
    with catalog.available(objects):
        return config.from_values(values, Path.cwd()), objects


def _name(point: TrainedPoint, others: Collection[str]) -> str:
    """Returns the name of a point in its config: that of its function, if no other has it."""
    function = getattr(point.risk or point.apply, "__name__", "")
    name = f"python:{function}"
    return name if function.isidentifier() and name not in others else "python:point"


def _result(look: Look) -> Look:
    """Returns the results. Raises UserError if the measurements failed."""
    folder = store.run_folder(look.directory, look.run_id)
    if store.read_status(folder) == "failed":
        reason = store.why_failed(folder)
        raise UserError(f"the look failed: {reason}", hint=f"see {folder / 'error.txt'}")
    return look
