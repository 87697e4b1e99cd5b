"""Records a training loop in JAX: plain, Flax, Equinox, or any other library."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from landscape import catalog
from landscape.adapters.adapted_model import AdaptedModel
from landscape.catalog import Spec
from landscape.errors import UserError
from landscape.interop.torch_recognition import adapted
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.loss_arguments import loss_arguments, name_of
from landscape.numerics.risk import Examples
from landscape.parts.metrics import Metric
from landscape.recorder import jax_rows
from landscape.recorder.recorded_loop import RecordedLoop, Source

PyTree = Any
_PAIR = "(inputs, targets), or (inputs, targets, {'weights': ...})"


class _Pending(NamedTuple):
    """A row whose step has not been taken yet, the tally and the parameters before it."""

    row: jax_rows.Row
    tally: jax.Array
    before: PyTree


class Recorder(RecordedLoop):
    """Records gradient health: call `recorder(params, batch, gradients)` once per step.

    `predictions = apply(params, inputs)`, and `loss(predictions, targets)` returns the loss or its
    values, whose mean is the risk. A batch is `(inputs, targets)`, also with a third item, a dict
    of arrays that the loss takes by name. Call the recorder before the update is applied, with
    gradients as the optimizer receives them, but not clipped or scaled.

    Every 20th step becomes a row of `trace`: risk of the batch, norm of the gradient (also per
    layer), ratio of update to parameters, dead fractions. With `evaluation=(inputs, targets)`, a
    fixed set, dead fractions, risk, gradient norm and `metrics` (names, or functions of predictions
    and targets) are measured on it; otherwise dead fractions are those of the batch. `filter_axes`
    (`first`, `last`, or a function of the parameters) is the axis of output units of weights, which
    `dead/units` needs. A model of `landscape.adapters` in place of `apply` knows it.
    `docs/own_loop.md` shows loops of several libraries.

    Files are in `OUT/NAME/runs/LABEL/`; `landscape report OUT/NAME` shows all labels side by side.
    Raises UserError if the label is taken and not `fresh`.
    """

    def __init__(
        self,
        apply: Callable[[PyTree, Any], jax.Array] | AdaptedModel,
        loss: Callable[..., Any],
        every: int = 20,
        *,
        evaluation: Sequence[Any] | None = None,
        metrics: Sequence[Any] = (),
        filter_axes: str | Callable[[PyTree], PyTree] | None = None,
        name: str = "recorded",
        label: str = "mine",
        out: Path | str = "runs",
        fresh: bool = False,
    ) -> None:
        self._evaluation = None if evaluation is None else _examples(evaluation, "evaluation")
        scores = dict(map(_metric, metrics))
        if scores and evaluation is None:
            raise UserError(
                f"`metrics` needs an evaluation set: found {', '.join(scores)} without one",
                hint="pass `evaluation=(inputs, targets)`",
            )
        axes = _axes(filter_axes)
        if isinstance(apply, AdaptedModel):
            axes = axes if filter_axes is not None else apply.model.filter_axes
            apply = apply.apply
        if not callable(apply):
            raise UserError(
                f"`apply`: found {type(apply).__name__}, expected a function",
                hint="pass the function that predicts, then the loss: Recorder(apply, loss)",
            )
        fields = {} if self._evaluation is None else self._evaluation.targets.fields
        self._measure = jax_rows.row_functions(apply, _loss(loss, fields), scores, axes)
        self._tally = jax_rows.first_tally()
        self._pending: _Pending | None = None
        examples = self._evaluation and len(self._evaluation.targets)
        device = jax.devices()[0]
        source = Source(
            framework="jax",
            loss=name_of(loss),
            every=every,
            dead_on="batch" if evaluation is None else "evaluation",
            device=f"{device.platform}: {device.device_kind}",
            packages=("jax", "jaxlib", "optax", "equinox", "numpy"),
            metrics=tuple(scores),
            evaluation_examples=examples,
        )
        super().__init__(source, name=name, label=label, out=out, fresh=fresh)

    def __call__(self, params: PyTree, batch: Any, gradients: PyTree) -> None:
        """Records the step that is about to be taken from `params` with these gradients.

        Raises UserError if the gradients do not have the structure and shapes of the parameters,
        or if the recorder is closed.
        """
        self._require_open()
        if self._pending is not None:
            self._complete(params)
        if self._steps % self._source.every == 0:
            arrays = jax_rows.differentiable(params)
            _check_fit(arrays, gradients)
            self._parameters = sum(leaf.size for leaf in jax.tree.leaves(arrays))
            examples = _examples(batch, "batch")
            row = self._measure.of_step(params, examples, gradients, self._evaluation)
            self._pending = _Pending(row, self._tally, jax_rows.copied(arrays))
        self._tally = jax_rows.tallied(self._tally, gradients)
        self._steps += 1

    def finish(self, params: PyTree | None = None) -> None:
        """Completes the last row and writes the files; nothing can be recorded afterwards.

        With the trained `params` and an evaluation set, a last row describes the trained point.
        """
        self._require_open()
        self._complete(params)
        if params is not None and self._evaluation is not None:
            row = self._measure.of_set(params, self._evaluation)
            self._pending = _Pending(row, self._tally, None)
        self._close()

    def _complete(self, params: PyTree | None = None) -> None:
        """Appends the pending row; its update is known if the parameters after it are passed."""
        pending, self._pending = self._pending, None
        row = {} if pending is None else pending.row
        if pending is not None and params is not None and pending.before is not None:
            row = row | jax_rows.ratios(pending.before, jax_rows.differentiable(params))
        values, before, now = jax.device_get((row, pending and pending.tally, self._tally))
        lost = int(jax_rows.Tally(*now).lost)
        self._diverged_step = None if lost < 0 else lost
        if pending is not None:
            ordered = sorted(row, key=_natural)  # a compiled function sorts names as texts
            counts = jax_rows.Tally(*before).columns
            self._append(counts | {name: values[name] for name in ordered})


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Returns the sort key of a name: `layers/2` comes before `layers/10`."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _examples(batch: Any, what: str) -> Examples:
    """Returns a batch or a set as inputs and targets. Raises UserError if it is something else."""
    items = batch if isinstance(batch, tuple | list) else ()
    fields = items[2] if len(items) == 3 else {}
    if len(items) not in (2, 3) or not isinstance(fields, Mapping):
        raise UserError(
            f"`{what}`: found {type(batch).__name__}"
            f"{f' of {len(items)} items' if items else ''}, expected {_PAIR}",
            hint="pass the arrays from which the loss of the step was computed",
        )
    targets = Targets(jnp.asarray(items[1]), {k: jnp.asarray(v) for k, v in fields.items()})
    return Examples(jax.tree.map(jnp.asarray, items[0]), targets)


def _loss(loss: Callable[..., Any], fields: Mapping[str, Any]) -> Loss:
    if not callable(loss):
        raise UserError(
            f"`loss`: found {type(loss).__name__}, expected a function",
            hint="pass `loss(predictions, targets)`, as the loop calls it",
        )
    function = adapted(loss)
    return Loss(function, arguments=loss_arguments(function, fields=fields.keys()))


def _metric(metric: Any) -> tuple[str, Metric]:
    """Returns the name and the metric that a name or a function of arrays stands for."""
    if isinstance(metric, str):
        built: Any = catalog.build("metrics", Spec(metric), folder=Path.cwd())()
        return metric, built
    if isinstance(metric, Metric):
        return name_of(metric.function), metric
    if not callable(metric):
        raise UserError(
            f"`metrics`: found {type(metric).__name__}, expected a name or a function",
            hint="pass a sequence such as `['accuracy']` or `[my_metric]`",
        )
    score: Callable[..., Any] = metric
    function = lambda snapshot: score(snapshot.predictions, snapshot.targets)  # noqa: E731
    return name_of(score), Metric(function, higher_is_better=True)


def _axes(choice: str | Callable[[PyTree], PyTree] | None) -> Callable[[PyTree], PyTree]:
    if choice is None:
        return lambda params: None
    if choice not in ("first", "last") and not callable(choice):
        raise UserError(
            f"`filter_axes`: found {choice!r}, expected `first`, `last` or a function",
            hint="it is the axis of the output units in arrays of weights: `last` in Flax, "
            "`first` in Equinox",
        )
    if callable(choice):
        return choice

    def axes(params: PyTree) -> PyTree:
        def axis(leaf: jax.Array) -> int | None:
            return None if leaf.ndim < 2 else {"first": 0, "last": leaf.ndim - 1}[str(choice)]

        return jax.tree.map(axis, params)

    return axes


def _check_fit(params: PyTree, gradients: PyTree) -> None:
    """Raises UserError unless gradients have the paths and shapes of the parameters."""
    shapes, others = _shapes(params), _shapes(gradients)
    for path in [*shapes, *others]:
        if shapes.get(path) != others.get(path):
            raise UserError(
                f"the gradients do not fit the parameters: `{path or 'parameters'}` has the shape "
                f"{shapes.get(path, 'no array')} in `params`, {others.get(path, 'no array')} in "
                "`gradients`",
                hint="call recorder(params, batch, gradients) with the gradients with respect to "
                "`params`, before the update",
            )


def _shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_array_like))
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): jnp.shape(leaf)
        for path, leaf in leaves
    }
