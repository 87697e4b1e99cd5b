"""Checks of a loss, a model, a dataset and directions before anything is trained."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from landscape import catalog
from landscape.config import Experiment, Part, Run
from landscape.errors import UserError
from landscape.numerics.user_calls import definition, failure, guarded
from landscape.parts.datasets import Dataset, complete, for_task, with_conditions
from landscape.parts.directions import Direction, Point
from landscape.parts.models import Model
from landscape.parts.tasks import Task, named

PyTree = Any


def refuse_other_task(name: str, label: str, task: str, dataset: str) -> None:
    """Raises UserError if a loss from the menu is for a task other than that of the dataset."""
    menu = catalog.menu("losses", task)
    if ":" in name or name in menu:
        return
    tasks = [t for t in catalog.task_names() if name in catalog.menu("losses", t)]
    losses = ", ".join(sorted(menu)) or "functions of yours, such as `my_losses.py:my_loss`"
    raise UserError(
        f"loss `{label}` is for {' and '.join(tasks)}, but dataset `{dataset}` is {task}",
        hint=f"losses for {task}: {losses}",
        part=name,
    )


def check_shared_options(run: Run) -> None:
    """Raises UserError if a loss and the task have another value of an option of both."""
    if run.task is None or ":" in run.loss.name:
        return
    for name in run.task.options.keys() & run.loss.options.keys():
        of_task, of_loss = run.task.options[name], run.loss.options[name]
        if of_task != of_loss:
            raise UserError(
                f"loss `{run.loss.label}` has `{name}: {of_loss}`, but the task has "
                f"`{name}: {of_task}`",
                hint=f"set `{name}: {of_task}` beside the name of the loss",
                part=run.loss.name,
            )


def build_dataset(run: Run) -> Dataset:
    """Returns the dataset of a run under its conditions, such as label noise.

    Raises UserError if the part returns anything else, or if a condition does not fit.
    """
    name = run.dataset.name
    data = build_part("datasets", run.dataset, run, run.seed)
    _check_type(data, Dataset, "dataset", name)
    if data.task not in catalog.task_names():
        message = f"dataset `{name}` has the task {data.task!r}"
        hint = f"expected one of: {', '.join(catalog.task_names())}"
        raise UserError(message, hint=hint, part=name)
    task = build_task(run, data)
    conditions = {name: getattr(run.dataset, name) for name in run.dataset.conditions}

    def prepared() -> Dataset:
        conditioned = with_conditions(complete(data, run.seed), run.seed, **conditions)
        return for_task(conditioned, task)

    return call_part(prepared, f"dataset `{name}`", run.dataset, with_conditions)


def build_task(run: Run, data: Dataset) -> Task:
    """Returns the task of a run: that of the config, else that of its dataset.

    Raises UserError if the dataset cannot be trained as this task, with the tasks that it can be.
    """
    if run.task is None:
        return named(data.task)
    if ":" in run.task.name:
        message = f"`task` is {run.task.name}; expected one of: {', '.join(catalog.task_names())}"
        hint = "the task `custom` takes any loss, metric and dataset of yours"
        raise UserError(message, hint=hint, part=run.task.name)
    task: Task = build_part("tasks", run.task, run)
    if data.task in (task.name, *task.accepts):
        return task
    fitting = [name for name in catalog.task_names() if data.task in (name, *named(name).accepts)]
    raise UserError(
        f"dataset `{run.dataset.name}` is for {data.task}, which cannot be trained as {task.name}",
        hint=f"expected one of: {', '.join(fitting)}",
        part=run.task.name,
    )


def point_task(run: Run) -> Task:
    """Returns the task of a point that was trained elsewhere: that of the config, else `custom`."""
    return named("custom") if run.task is None else build_part("tasks", run.task, run)


def build_part(family: str, part: Part, run: Run | Experiment, *arguments: Any) -> Any:
    """Returns what a part returns for its arguments; raises UserError if it raises anything."""
    make = catalog.build(family, part, folder=run.folder)
    name = f"{family.removesuffix('s')} `{part.name}`"
    value = call_part(lambda: make(*arguments), name, part, make)
    if family == "directions" and not callable(value):
        message = f"{name} returns {type(value).__name__}, expected a function"
        raise UserError(message, hint="docs/own_parts.md has examples", part=part.name)
    return value


def call_part(call: Callable[[], Any], name: str, part: Part, function: Callable[..., Any]) -> Any:
    """Returns `call()`; raises UserError with the name of the part if the call raises anything."""
    try:
        return call()
    except UserError as error:
        error.part = error.part or part.name
        raise
    except (Exception, SystemExit) as error:
        described = failure(error, name, function)
        raise UserError(
            described.message, place=described.place, hint=described.hint, part=part.name
        ) from error


def _check_type(value: Any, kind: type, family: str, name: str) -> None:
    if not isinstance(value, kind):
        returned = type(value).__name__
        message = f"{family} `{name}` returns {returned}, expected a {kind.__name__}"
        raise UserError(
            message, hint=f"return landscape.parts.{family}s.{kind.__name__}(...)", part=name
        )


def check_directions(run: Run, model: Model, params: PyTree, checkpoints: int) -> None:
    """Raises UserError for directions that could not be computed after training.

    `checkpoints`: how many of them the run keeps.
    """
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    for part in [] if run.slices is None else run.slices.directions():
        direction = build_part("directions", part, run)
        index, component = (part.options.get(name, 1) for name in ("index", "component"))
        if part.name == "eigenvector" and isinstance(index, int) and index > size:
            raise UserError(
                f"the config requests eigenvector {index}, but the model has {size} parameters"
            )
        if part.name == "trajectory" and isinstance(component, int) and component >= checkpoints:
            raise UserError(
                f"component {component} of the trajectory needs {component + 1} checkpoints, but "
                f"only {checkpoints} of {run.checkpoints} fit into {run.steps} steps recorded "
                f"every {run.record_every}",
                hint="use a smaller `record_every`",
            )
        if ":" in part.name:
            _check_direction(part.name, direction, params, model.filter_axes(params))


def _check_direction(name: str, direction: Direction, params: PyTree, filter_axes: PyTree) -> None:
    """Raises UserError if a direction raises, or returns anything but a finite tree like `params`.

    It is called once, at the initial parameters, with stand-ins for the results of training, which
    differ from these parameters: a direction may divide by the norm of a difference.
    """
    step = jax.tree.map(jnp.ones_like, params)
    elsewhere = jax.tree.map(jnp.add, params, step)
    subject = f"direction `{name}`"
    point = Point(
        params=params,
        filter_axes=filter_axes,
        gradient=lambda: step,
        eigenvector=lambda end, index: step,
        update=step,
        path=jax.tree.map(lambda *leaves: jnp.stack(leaves), params, elsewhere),
        target=elsewhere,
    )
    tree = guarded(lambda: direction(jax.random.key(0), point), subject, direction)
    place = definition(direction)
    structure: Any = jax.tree.structure(params)
    if jax.tree.structure(tree) != structure:
        raise UserError(
            f"{subject} does not return a tree like the parameters",
            place=place,
            hint="build it with jax.tree.map over point.params",
        )
    for (path, leaf), other in zip(
        jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(tree), strict=True
    ):
        if jnp.shape(other) != leaf.shape:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise UserError(
                f"{subject} has shape {jnp.shape(other)} at `{name}`; the parameters there have "
                f"shape {leaf.shape}",
                place=place,
            )
        if not bool(jnp.isfinite(jnp.asarray(other)).all()):
            raise UserError(f"{subject} is not finite at the initial parameters", place=place)
