"""From the names in a config to compiled functions that many runs share."""

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from landscape import catalog
from landscape.config import Part, Run
from landscape.errors import UserError
from landscape.numerics.compiling import jit_loop, jit_once
from landscape.numerics.point_width import PointWidth
from landscape.numerics.risk import Examples, Loss, Numbers, from_labels
from landscape.numerics.train import Loop, Metric, recorded_steps, trainer
from landscape.parts import metrics as menu_metrics
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.run import instruments, preflight, traced_options
from landscape.run.instruments import Instruments

PyTree = Any


class Subject(NamedTuple):
    """What an audit of a loss is about: the loss as it is trained, on which task and targets.

    Nothing is left for the audit to guess: it would take the order of the arguments and the
    targets that suit the loss, such as -1 and 1, where training gives it those of the dataset.
    """

    loss: Loss
    task: str
    targets: str


class Program(NamedTuple):
    """Compiled functions as one run calls them, which it shares with many others.

    `loop` is training as in `train.trainer`; `loop_of_many` takes `numbers` and the same arguments
    of several runs, each with a leading axis. `metrics` names the task metrics, first the one that
    losses are compared by.
    """

    model: Model
    metrics: tuple[str, ...]
    numbers: Numbers
    loop: Loop
    loop_of_many: Callable[[Numbers], Loop]
    instruments: Instruments
    subject: Subject


class Shared(NamedTuple):
    """What is compiled once for every seed and all values of the options that are `arguments`.

    `arguments` are named by part, `loss` and `optimizer`; `loop`, `loop_of_many` and `instruments`
    bind their values, `loop_of_many` those of several runs, with a leading axis.
    """

    arguments: dict[str, list[str]]
    metrics: tuple[str, ...]
    loop: Callable[[Numbers], Loop]
    loop_of_many: Callable[[Numbers], Loop]
    instruments: Callable[[Numbers], Instruments]


class Fit(NamedTuple):
    """A loss with the options of a run, and the form in which it takes the dataset's targets."""

    loss: Loss
    form: str


def seed_key(seed: int, purpose: str) -> jax.Array:
    """A key of its own for every purpose, so that no new use of randomness changes an old one."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def initial_params(run: Run, model: Model) -> PyTree:
    """The initialization that all losses of one seed share."""
    return model.init(seed_key(run.seed, "initial parameters"))


def kept_checkpoints(run: Run) -> int:
    """How many checkpoints a run keeps: as asked, and at most one a recorded step."""
    return min(run.checkpoints, len(recorded_steps(run.steps, run.record_every)))


def training_set(data: Dataset) -> Examples:
    """The training examples on the device."""
    return Examples(*map(jnp.asarray, data.train))


def evaluation_set(run: Run, data: Dataset) -> Examples:
    """The same examples for every loss of one seed: all of the split, or a random part of it."""
    inputs, targets = data.test if run.evaluation.split == "test" else data.train
    if run.evaluation.size is not None and run.evaluation.size < len(targets):
        order = jax.random.permutation(seed_key(run.seed, "evaluation set"), len(targets))
        chosen = np.asarray(order)[: run.evaluation.size]
        inputs, targets = inputs[chosen], targets[chosen]
    return Examples(jnp.asarray(inputs), jnp.asarray(targets))


def fit(run: Run, data: Dataset, model: Model) -> Fit:
    """The loss of a run, tried on predictions of its model. UserError where they do not fit."""
    few = _few(run, data)
    predictions = preflight.check_predictions(
        model, run.model.name, initial_params(run, model), few, data.task, data.outputs
    )
    preflight.refuse_other_task(run.loss.name, run.loss.label, data.task, run.dataset.name)
    loss = catalog.build("losses", run.loss, folder=run.folder, task=data.task)
    form = preflight.fit_targets(
        loss, run.loss.label, run.targets, predictions, few.targets, data.task
    )
    return Fit(loss, form)


def find_arguments(run: Run, data: Dataset, model: Model, fit: Fit) -> dict[str, list[str]]:
    """The options of a run that its compiled program takes as arguments, by part."""
    few = _few(run, data)
    params, predictions = _shapes(model, few)
    own = traced_options.of_run(run)

    def loss(chosen: dict[str, Any]) -> Any:
        return jax.eval_shape(
            lambda v, p: _loss_of(fit, data, {"loss": v})(p, few.targets), chosen, predictions
        )

    def optimizer(chosen: dict[str, Any]) -> Any:
        def step(values: dict[str, Any], params: PyTree) -> PyTree:
            made = build_optimizer(run, values)
            return made.update(params, made.init(params), params)

        return jax.eval_shape(step, chosen, params)

    return {
        "loss": traced_options.traceable(own["loss"], loss),
        "optimizer": traced_options.traceable(own["optimizer"], optimizer),
    }


def build_shared(
    run: Run, data: Dataset, model: Model, fit: Fit, arguments: dict[str, list[str]], key: str
) -> Shared:
    """The program of a run, of which nothing is compiled before it is used.

    `key` is what runs have in common that share it, see `numbers.structure`.
    """
    width = PointWidth("auto" if run.slices is None else run.slices.side_by_side, key)
    few = _few(run, data)
    predictions = _shapes(model, few)[1]
    metrics = _build_metrics(run, data.task)
    measured = list(metrics)
    if run.slices is not None and run.slices.gradients:
        measured += [menu_metrics.gradient_norm(), _dead_gradients(run)]

    def loss_of(values: Numbers) -> Loss:
        return _loss_of(fit, data, values)

    def loop(values: Numbers) -> Loop:
        optimizer = build_optimizer(run, values["optimizer"])
        return _build_trainer(run, loss_of(values), model, optimizer, metrics)

    def begin(values: Numbers, *given: Any) -> Any:
        return loop(values).begin(*given)

    def advance(values: Numbers, *given: Any) -> Any:
        return loop(values).advance(*given)

    side_by_side = (0, 0, None, None, 0, 0, 0, 0, 0)  # the numbers of the steps are those of all
    return Shared(
        arguments=arguments,
        metrics=preflight.check_metrics(metrics, predictions, few.targets),
        loop=_bound(jit_once(begin), jit_loop(advance, donate_argnums=1)),
        loop_of_many=_bound(
            jit_once(jax.vmap(begin)), jit_loop(jax.vmap(advance, side_by_side), donate_argnums=1)
        ),
        instruments=instruments.build(run, loss_of, model, measured, metrics, width),
    )


def _bound(begin: Callable[..., Any], advance: Callable[..., Any]) -> Callable[[Numbers], Loop]:
    """A loop for given values of the options that are arguments."""

    def of(values: Numbers) -> Loop:
        return Loop(functools.partial(begin, values), functools.partial(advance, values))

    return of


def _few(run: Run, data: Dataset) -> Examples:
    """One batch, to try things on."""
    return Examples(*(jnp.asarray(array[: run.batch_size]) for array in data.train))


def _shapes(model: Model, examples: Examples) -> tuple[PyTree, Any]:
    """Of the parameters and of the predictions."""
    params = jax.eval_shape(model.init, jax.random.key(0))
    return params, jax.eval_shape(model.apply, params, examples.inputs)


def _loss_of(fit: Fit, data: Dataset, values: Numbers) -> Loss:
    loss = functools.partial(fit.loss, **values["loss"])
    return from_labels(loss, data.outputs) if fit.form == "onehot" else loss


def audit(subject: Subject, label: str) -> dict[str, Any]:
    """The audit as JSON, or what kept it from being made, which costs no run its training."""
    from landscape.audit import audit

    try:
        judged = audit(
            subject.loss,
            task=subject.task,
            order="predictions-first",
            targets=subject.targets,
            name=label,
        )
        return judged.to_json(with_shapes=True)
    except UserError as error:
        return {"loss": label, "error": str(error)}
    except Exception as error:
        return {"loss": label, "error": f"{type(error).__name__}: {error}"}


def _build_metrics(run: Run, task: str) -> list[Metric]:
    """The metrics that the config names, else the task's own."""
    names = menu_metrics.TASK_METRICS[task]
    parts: Sequence[Part] = run.metrics or [Part(name=name) for name in names]
    return [catalog.build("metrics", part, folder=run.folder)() for part in parts]


def _build_trainer(
    run: Run,
    loss: Loss,
    model: Model,
    optimizer: optax.GradientTransformation,
    metrics: Sequence[Metric],
) -> Loop:
    health = [menu_metrics.gradient_norm(), menu_metrics.update_ratio(), _dead_gradients(run)]
    return trainer(
        loss,
        model,
        optimizer,
        [*metrics, *health],
        evaluation_batch=run.evaluation.batch_size,
        vanishing=run.gradients.vanishing,
        exploding=run.gradients.exploding,
        checkpoints=kept_checkpoints(run),
    )


def check_directions(run: Run, model: Model) -> None:
    """Finds before training what could not be measured after it."""
    params = initial_params(run, model)
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    kept = kept_checkpoints(run)
    for part in [] if run.slices is None else run.slices.directions():
        direction = catalog.build("directions", part, folder=run.folder)()
        index, component = (part.options.get(name, 1) for name in ("index", "component"))
        if part.name == "eigenvector" and isinstance(index, int) and index > size:
            raise UserError(
                f"eigenvector {index} was asked for, but the model has {size} parameters"
            )
        if part.name == "trajectory" and isinstance(component, int) and component >= kept:
            raise UserError(
                f"component {component} of the trajectory needs {component + 1} checkpoints, but "
                f"only {kept} of {run.checkpoints} fit into {run.steps} steps recorded every "
                f"{run.record_every}",
                hint="use a smaller `record_every`",
            )
        if ":" in part.name:
            preflight.check_direction(part.name, direction, params, model.filter_axes(params))


def build_optimizer(run: Run, values: Numbers) -> optax.GradientTransformation:
    """The optimizer under its schedule, with the gradient clipped first where that is asked for.

    `values` are those of options, such as traced ones, that take the place of the run's own.
    """
    spec = run.optimizer
    given = {name: value for name, value in values.items() if name != "clip_norm"}
    make = functools.partial(catalog.build("optimizers", spec, folder=run.folder), **given)
    if spec.schedule is None:
        optimizer = make()
    else:
        schedule = catalog.build("schedules", spec.schedule, folder=run.folder)
        rate = given["learning_rate"] if "learning_rate" in given else catalog.learning_rate(make)
        optimizer = make(learning_rate=schedule(rate, run.steps))
    if spec.clip_norm is None:
        return optimizer
    norm = values.get("clip_norm", spec.clip_norm)
    return optax.chain(optax.clip_by_global_norm(norm), optimizer)


def _dead_gradients(run: Run) -> Metric:
    return menu_metrics.dead_gradients(
        absolute=run.gradients.absolute, relative=run.gradients.relative
    )
