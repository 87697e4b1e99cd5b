"""From the names in a config to the loss, optimizer, metrics, and compiled functions of a run."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from landscape import catalog
from landscape.config import Run
from landscape.numerics.compiling import jit_loop, jit_once
from landscape.numerics.loss import Loss, LossFamily, StaticOptions, Targets
from landscape.numerics.loss_arguments import loss_arguments, options_beside
from landscape.numerics.point_width import PointWidth
from landscape.numerics.recording import Recording
from landscape.numerics.risk import Examples
from landscape.numerics.step import Numbers
from landscape.numerics.train import Loop, trainer
from landscape.numerics.trainability import CellTrainer, cell_trainer
from landscape.parts.datasets import Dataset
from landscape.parts.metrics import (
    Measurement,
    Metric,
    columns,
    dead_gradients,
    gradient_norm,
    update_ratio,
)
from landscape.parts.models import Model
from landscape.parts.points import TrainedPoint
from landscape.parts.tasks import Task
from landscape.run import loss_check, model_check, point_check, preflight, traced_options
from landscape.run.instruments import Instruments, build_instruments, with_stream
from landscape.run.task_metrics import build_metrics, check_metrics
from landscape.run.training_inputs import (
    checkpoint_count,
    evaluation_batch_sizes,
    initial_params,
    initial_state,
    split_examples,
)

PyTree = Any
# The column by which a run is judged that has no metric.
RISK = "risk/evaluation"


class TrainingLoops(NamedTuple):
    """Functions that train, which do not depend on what is measured afterwards.

    `loop` is training as in `train.trainer`; `loop_side_by_side` takes carries, inputs and the
    numbers of one loss for several runs, each with a leading axis. `cells` is
    `trainability.cell_trainer`.
    """

    loop: Loop
    loop_side_by_side: Loop
    cells: CellTrainer


class ModelProgram(NamedTuple):
    """Functions of a model that are compiled per family of losses, and used by many runs.

    `metrics` are the task metrics by name; losses are compared by the first, the `primary` one.
    `training` is None for a point that was trained elsewhere.
    """

    task: Task
    model: Model
    metrics: Mapping[str, Metric]
    training: TrainingLoops | None
    instruments: Instruments

    @property
    def primary(self) -> str:
        return next(iter(self.metrics), RISK)


class Program(NamedTuple):
    """The functions of a run and its arguments: a loss, and the traced options of its optimizer."""

    shared: ModelProgram
    loss: LossFamily
    optimizer: Numbers

    @property
    def model(self) -> Model:
        return self.shared.model

    @property
    def task(self) -> Task:
        return self.shared.task

    @property
    def metrics(self) -> Mapping[str, Metric]:
        return self.shared.metrics

    @property
    def primary(self) -> str:
        return self.shared.primary

    @property
    def training(self) -> TrainingLoops:
        assert self.shared.training is not None, "a point is not trained"
        return self.shared.training

    @property
    def instruments(self) -> Instruments:
        return self.shared.instruments


def build_loss(run: Run, data: Dataset, model: Model, point: TrainedPoint | None = None) -> Loss:
    """Returns the loss of a run, tried on predictions of its model; no option is traced yet.

    Raises UserError if loss, model and dataset do not fit.
    """
    batch = _first_batch(run, data)._replace(state=initial_state(run, model))
    task = preflight.build_task(run, data)
    params = initial_params(run, model)
    predictions = model_check.check_predictions(
        model, run.model.name, params, batch, task, data.outputs
    )
    if point is not None and point.risk is not None:
        return point_check.checked_risk(predictions, run.loss.label)
    model_check.refuse_probabilities(run, model, params, batch, task)
    preflight.refuse_other_task(run.loss.name, run.loss.label, data.task, run.dataset.name)
    loss = _named_loss(run, data)
    fitted = loss_check.fit_targets(
        loss, run.loss.label, run.targets, predictions, batch.targets, task
    )
    if ":" in run.loss.name:  # the tests of the menu cover all sizes
        sizes = evaluation_batch_sizes(run, data) - {run.batch_size}
        loss_check.check_batch_sizes(
            fitted, run.loss.label, predictions, batch.targets, sorted(sizes)
        )
    return fitted


def _named_loss(run: Run, data: Dataset) -> Loss:
    """Returns the loss that the config names, with the fields of the dataset that it takes."""
    preflight.check_shared_options(run)
    bound = catalog.build("losses", run.loss, folder=run.folder, task=data.task)
    assert isinstance(bound, functools.partial)
    fields = data.train.fields
    if ":" not in run.loss.name:
        fields = {name: values for name, values in fields.items() if name in catalog.FIELDS}
    options = options_beside(fields, bound.func, bound.keywords)
    arguments = loss_arguments(
        bound.func, order=run.loss.order, options=options.keys(), fields=fields.keys()
    )
    return Loss(bound.func, StaticOptions(options), arguments=arguments, vmap=run.loss.vmap)


def find_traced_options(run: Run, data: Dataset, model: Model, loss: Loss) -> dict[str, list[str]]:
    """Returns the names of the options that are traced, by part: `loss` and `optimizer`."""
    batch = _first_batch(run, data)
    params, predictions = _shapes(model, batch)
    floats = traced_options.float_options(run)

    def trace_loss(values: Numbers) -> Any:
        return jax.eval_shape(
            lambda loss, p: loss(p, batch.targets), loss.traced(values), predictions
        )

    def trace_optimizer(values: Numbers) -> Any:
        def step(values: Numbers, params: PyTree) -> PyTree:
            optimizer = build_optimizer(run, values)
            return optimizer.update(params, optimizer.init(params), params)

        return jax.eval_shape(step, values, params)

    return {
        "loss": traced_options.traceable(floats["loss"], trace_loss),
        "optimizer": traced_options.traceable(floats["optimizer"], trace_optimizer),
    }


def family_signature(run: Run, data: Dataset, model: Model, loss: Loss) -> str | None:
    """Returns a text that is equal for losses that can be compiled together.

    None if the loss must be compiled alone: if its value, gradient or second derivative cannot be
    traced in single and double precision, also for several points side by side, or if it prints or
    calls back to Python, which would affect how the programs of the other losses run.
    """
    batch = _first_batch(run, data)
    single = _shapes(model, batch)[1], batch.targets
    double = jax.tree.map(_float64_shape, single)
    try:
        programs = [_trace_as_member(loss, *single)]
        with jax.enable_x64(True):
            programs.append(_trace_as_member(loss, *double))
    except (Exception, SystemExit):  # a user's loss may raise anything
        return None
    if any(program.effects or "callback" in str(program) for program in programs):
        return None
    names = sorted(jax.eval_shape(loss.metrics, *single))
    return str([*names, *(program.out_avals for program in programs)])


def _trace_as_member(loss: Loss, predictions: Any, targets: Targets) -> Any:
    """Traces all that a run may compute of a loss, for two points side by side."""
    family = LossFamily((loss,), np.int32(0))

    def evaluate(predictions: jax.Array, targets: Targets) -> Any:
        value = family.mean_and_slopes(predictions, targets), family.metrics(predictions, targets)
        gradient = jax.grad(lambda p: family.mean(p, targets))
        return value, *jax.jvp(gradient, (predictions,), (predictions,))

    pair = jax.ShapeDtypeStruct((2, *predictions.shape), predictions.dtype)
    return jax.make_jaxpr(jax.vmap(evaluate, (0, None)))(pair, targets)


def _float64_shape(array: Any) -> jax.ShapeDtypeStruct:
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    return jax.ShapeDtypeStruct(array.shape, jnp.float64 if floating else array.dtype)


def build_training_loops(run: Run, data: Dataset, model: Model) -> TrainingLoops:
    """Returns the functions that train a run's model; nothing is compiled before it is used."""
    metrics = _checked_metrics(run, preflight.build_task(run, data), data, model)
    primary = next(iter(metrics))
    make_optimizer = functools.partial(build_optimizer, run)
    elementwise = ":" not in run.optimizer.name  # every optimizer of the menu is
    recording = _recording(run, metrics, primary)
    loop = trainer(model, make_optimizer, recording, elementwise=elementwise)
    cells = cell_trainer(
        model,
        make_optimizer,
        metrics[primary],
        evaluation_batch=run.evaluation.batch_size,
        elementwise=elementwise,
    )
    return TrainingLoops(
        loop=compiled_loop(loop.begin, loop.advance),
        loop_side_by_side=compiled_loop(*_side_by_side(loop)),
        cells=jit_loop(cells),
    )


def build_model_program(
    run: Run,
    data: Dataset,
    model: Model,
    key: str,
    training: TrainingLoops | None,
    *,
    streamed: bool = False,
) -> ModelProgram:
    """Returns the functions of a run's model; nothing is compiled before it is used.

    `key` is equal for all runs that share them, see `traced_options.model_key`. If the examples are
    `streamed` there are no metrics, which need all predictions at once.
    """
    task = preflight.build_task(run, data)
    metrics = {} if streamed else _checked_metrics(run, task, data, model)
    measurements = [columns(metrics)]
    ends = [columns(metrics), gradient_norm(), _dead_gradients(run)]
    if run.slices is not None and run.slices.gradients:
        measurements += [gradient_norm(), _dead_gradients(run)]
    width = PointWidth("auto" if run.slices is None else run.slices.side_by_side, key)
    if streamed:
        width = PointWidth(1, key)
    instruments = build_instruments(run, model, measurements, metrics, width, ends)
    return ModelProgram(
        task=task,
        model=model,
        metrics=metrics,
        training=training,
        instruments=with_stream(instruments, run, model) if streamed else instruments,
    )


def _checked_metrics(run: Run, task: Task, data: Dataset, model: Model) -> dict[str, Metric]:
    batch, metrics = _first_batch(run, data), build_metrics(run, task)
    check_metrics(metrics, _shapes(model, batch)[1], batch.targets)
    return metrics


def _side_by_side(loop: Loop) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Returns the functions of a loop for several runs of one loss."""

    def begin(loss: LossFamily, inputs: Any) -> Any:
        return jax.vmap(loop.begin, (loss.mapped_axes, 0))(loss, inputs)

    def advance(loss: LossFamily, carry: Any, first: Any, end: Any, inputs: Any) -> Any:
        axes = (loss.mapped_axes, 0, None, None, 0)
        return jax.vmap(loop.advance, axes)(loss, carry, first, end, inputs)

    return begin, advance


def compiled_loop(begin: Callable[..., Any], advance: Callable[..., Any]) -> Loop:
    """Returns the functions of a training, compiled when they are first called."""
    return Loop(jit_once(begin), jit_loop(advance, fusion_emitters=True, donate_argnums=1))


def build_optimizer(run: Run, numbers: Numbers) -> optax.GradientTransformation:
    """Returns the optimizer under its schedule, after gradient clipping if it is configured.

    `numbers` are values of options, such as traced ones, that replace those of the config.
    """
    spec = run.optimizer
    options = {name: value for name, value in numbers.items() if name != "clip_norm"}
    make = functools.partial(catalog.build("optimizers", spec, folder=run.folder), **options)
    if spec.schedule is None:
        optimizer = make()
    else:
        schedule = catalog.build("schedules", spec.schedule, folder=run.folder)
        rate = options.get("learning_rate")
        rate = catalog.learning_rate(make) if rate is None else rate
        optimizer = make(learning_rate=schedule(rate, run.steps))
    if spec.clip_norm is None:
        return optimizer
    norm = numbers.get("clip_norm", spec.clip_norm)
    return optax.chain(optax.clip_by_global_norm(norm), optimizer)


def _first_batch(run: Run, data: Dataset) -> Examples:
    return split_examples(data.train.take(np.arange(min(run.batch_size, len(data.train.targets)))))


def _shapes(model: Model, examples: Examples) -> tuple[PyTree, Any]:
    """Returns the shapes of the parameters and of the predictions."""
    params, state = (jax.eval_shape(f, jax.random.key(0)) for f in (model.init, model.init_state))
    return params, jax.eval_shape(model.predict, params, examples.inputs, state)


def _recording(run: Run, metrics: Mapping[str, Metric], primary: str) -> Recording:
    return Recording(
        measurements=[columns(metrics), gradient_norm(), update_ratio(), _dead_gradients(run)],
        evaluation_batch=run.evaluation.batch_size,
        vanishing=run.gradients.vanishing,
        exploding=run.gradients.exploding,
        checkpoints=checkpoint_count(run),
        primary=primary,
        higher_is_better=metrics[primary].higher_is_better,
    )


def _dead_gradients(run: Run) -> Measurement:
    return dead_gradients(absolute=run.gradients.absolute, relative=run.gradients.relative)
