"""From the names in a config to checked, compiled functions that many runs share."""

import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from landscape import catalog, instruments, preflight
from landscape.config import Part, Run
from landscape.errors import UserError
from landscape.instruments import Instruments
from landscape.parts import metrics as menu_metrics
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.risk import Examples, Loss
from landscape.train import Metric, Trained, recorded_steps, trainer

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
    """Compiled functions that all runs of one loss, model and optimizer share.

    `train` is as in `train.trainer`. `metrics` names the task metrics, the one that losses are
    compared by first.
    """

    model: Model
    metrics: tuple[str, ...]
    train: Callable[..., Trained]
    instruments: Instruments
    subject: Subject


class Workshop:
    """Data, programs and audits, kept for the runs of one process that can share them."""

    def __init__(self) -> None:
        self._datasets: dict[str, Dataset] = {}
        self._programs: dict[str, Program] = {}
        self._audits: dict[str, dict[str, Any]] = {}

    def dataset(self, run: Run) -> Dataset:
        """The dataset of a run, split by its seed."""
        key = _canonical(run, {"dataset", "seed"})
        if key not in self._datasets:
            make = catalog.build("datasets", run.dataset, folder=run.folder)
            self._datasets[key] = make(run.seed)
        return self._datasets[key]

    def program(self, run: Run) -> Program:
        """The program of a run. UserError where its loss, model and dataset do not fit."""
        apart = {"id", "seed", "swept", "audit", "measurement"}
        key = _canonical(run, set(Run.model_fields) - apart)
        if key not in self._programs:
            self._programs[key] = _build_program(run, self.dataset(run))
        return self._programs[key]

    def audit(self, run: Run) -> dict[str, Any]:
        """The audit of a run's loss, as JSON: the same for all its seeds, models and optimizers."""
        subject = self.program(run).subject
        key = "\n".join([_canonical(run, {"loss"}), subject.task, subject.targets])
        if key not in self._audits:
            self._audits[key] = _audit(subject, run.loss.label)
        return self._audits[key]


def prepare(runs: Sequence[Run], workshop: Workshop) -> None:
    """Builds and checks every program, so that no mistake is found after hours of training."""
    for run in runs:
        examples = len(workshop.dataset(run).train.targets)
        if run.batch_size > examples:
            raise UserError(
                f"batch_size is {run.batch_size}, but dataset `{run.dataset.name}` has only "
                f"{examples} training examples",
                hint=f"use batch_size={examples} or less",
            )
        workshop.program(run)


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


def _build_program(run: Run, data: Dataset) -> Program:
    model = catalog.build("models", run.model, folder=run.folder)(
        data.train.inputs.shape[1:], data.outputs
    )
    few = Examples(*(jnp.asarray(array[: run.batch_size]) for array in data.train))
    params = initial_params(run, model)
    predictions = preflight.check_predictions(
        model, run.model.name, params, few, data.task, data.outputs
    )
    written = _build_loss(run, data.task)
    loss, form = preflight.fit_targets(
        written, run.loss.label, run.targets, predictions, few.targets, data.task
    )
    _check_directions(run, params, model.filter_axes(params))
    metrics = _build_metrics(run, data.task)
    names = preflight.check_metrics(metrics, predictions, few.targets)
    measured = list(metrics)
    if run.slices is not None and run.slices.gradients:
        measured += [menu_metrics.gradient_norm(), _dead_gradients(run)]
    return Program(
        model=model,
        metrics=names,
        train=jax.jit(_build_trainer(run, loss, model, metrics)),
        instruments=instruments.build(run, loss, model, measured, metrics),
        subject=Subject(written, data.task, "zero_one" if data.task == "binary" else form),
    )


def _audit(subject: Subject, label: str) -> dict[str, Any]:
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


def _build_loss(run: Run, task: str) -> Loss:
    preflight.refuse_other_task(run.loss.name, run.loss.label, task, run.dataset.name)
    return catalog.build("losses", run.loss, folder=run.folder, task=task)


def _build_metrics(run: Run, task: str) -> list[Metric]:
    """The metrics that the config names, else the task's own."""
    names = menu_metrics.TASK_METRICS[task]
    parts: Sequence[Part] = run.metrics or [Part(name=name) for name in names]
    return [catalog.build("metrics", part, folder=run.folder)() for part in parts]


def _build_trainer(
    run: Run, loss: Loss, model: Model, metrics: Sequence[Metric]
) -> Callable[..., Trained]:
    health = [menu_metrics.gradient_norm(), menu_metrics.update_ratio(), _dead_gradients(run)]
    return trainer(
        loss,
        model,
        _build_optimizer(run),
        [*metrics, *health],
        evaluation_batch=run.evaluation.batch_size,
        vanishing=run.gradients.vanishing,
        exploding=run.gradients.exploding,
        checkpoints=kept_checkpoints(run),
    )


def _check_directions(run: Run, params: PyTree, filter_axes: PyTree) -> None:
    """Finds before training what could not be measured after it."""
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
            preflight.check_direction(part.name, direction, params, filter_axes)


def _build_optimizer(run: Run) -> optax.GradientTransformation:
    """The optimizer under its schedule, with the gradient clipped first where that is asked for."""
    spec = run.optimizer
    make = catalog.build("optimizers", spec, folder=run.folder)
    if spec.schedule is None:
        optimizer = make()
    else:
        schedule = catalog.build("schedules", spec.schedule, folder=run.folder)
        optimizer = make(learning_rate=schedule(catalog.learning_rate(make), run.steps))
    if spec.clip_norm is None:
        return optimizer
    return optax.chain(optax.clip_by_global_norm(spec.clip_norm), optimizer)


def _dead_gradients(run: Run) -> Metric:
    return menu_metrics.dead_gradients(
        absolute=run.gradients.absolute, relative=run.gradients.relative
    )


def _canonical(run: Run, fields: set[str]) -> str:
    values = run.model_dump(mode="json", include=fields | {"folder"})
    return json.dumps(values, sort_keys=True)
