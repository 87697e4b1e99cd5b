"""Metrics: `metric = factory(**options)`, then `metric(snapshot) -> {"name/part": scalar}`.

A metric is a pure function of a snapshot and may be jitted; its keys depend on shapes only. The
task metrics (accuracy, f1, iou, dice, r2, rmse) read predictions and targets alone and are NaN
when a prediction is NaN, so that a diverged model never has a score. The gradient metrics leave
out the keys for which the snapshot lacks the field.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.errors import UserError


class Snapshot(NamedTuple):
    """What is known at one state of a model; everything but the first two fields may be missing.

    predictions: raw outputs on the whole evaluation set, (n,), (n, outputs) or (n, height, width)
    targets: as in `Dataset`: labels (n,) for multiclass, else shaped like the predictions
    prediction_gradients: gradient of the sum of the loss with respect to the predictions
    params, gradients, updates: pytrees of one structure: parameters, gradient of the risk on the
        batch (what the optimizer receives), what the optimizer adds to the parameters
    evaluation_gradients: gradient of the risk on the evaluation set
    filter_axes: pytree like params of static integers, the axis of filters or output units, or
        None for biases and normalization parameters
    """

    predictions: jax.Array
    targets: jax.Array
    prediction_gradients: jax.Array | None = None
    params: Any = None
    gradients: Any = None
    updates: Any = None
    evaluation_gradients: Any = None
    filter_axes: Any = None


Metric = Callable[[Snapshot], dict[str, jax.Array]]

TASK_METRICS = {  # the first is the one that losses are compared by
    "regression": ("r2", "rmse"),
    "binary": ("accuracy", "f1"),
    "multiclass": ("accuracy", "f1"),
    "segmentation": ("iou", "dice"),
}
HIGHER_IS_BETTER = {
    "accuracy": True,
    "f1": True,
    "iou": True,
    "dice": True,
    "r2": True,
    "rmse": False,
}


def accuracy() -> Metric:
    """Share of correct predictions: logit > 0 for binary, largest logit for multiclass.

    Predictions and targets of one shape are binary; predictions (n, classes) with labels (n,) are
    multiclass, where the first of tied logits is taken. From 0 to 1, higher is better.
    Choose it where classes are about equally frequent; else look at `f1` as well.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predicted, targets, _ = _decisions(snapshot, "accuracy")
        correct = (predicted == targets).astype(snapshot.predictions.dtype)
        return {"accuracy": _nan_if_nan(jnp.mean(correct), snapshot)}

    return metric


def f1() -> Metric:
    """F1 = 2 TP / (2 TP + FP + FN): of class 1 for binary, mean over classes for multiclass.

    Shapes and decisions as in `accuracy`. Binary: 0 where class 1 is neither a target nor
    predicted. Multiclass (macro): every class weighs the same; a class that is neither a target
    nor predicted is left out of the mean. Both as scikit-learn's `f1_score` with zero_division=0.
    From 0 to 1, higher is better. Choose it where classes are unequally frequent.
    Source: van Rijsbergen, Information Retrieval (1979).
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predicted, targets, classes = _decisions(snapshot, "f1")
        labels = jnp.arange(classes)[:, None]
        is_predicted = predicted.reshape(1, -1) == labels
        is_target = targets.reshape(1, -1) == labels
        both = _count(is_predicted & is_target, axis=1)
        total = _count(is_predicted, axis=1) + _count(is_target, axis=1)
        scores = _quotient(2 * both, total, empty=0.0)
        is_binary = snapshot.predictions.shape == snapshot.targets.shape
        score = scores[1] if is_binary else jnp.mean(scores, where=total > 0)
        return {"f1": _nan_if_nan(score, snapshot)}

    return metric


def iou(threshold: float = 0.5) -> Metric:
    """Mean over images of |P and T| / |P or T|, P where sigmoid(logit) > threshold.

    Predictions are logits (n, height, width), targets masks T of 0 and 1 of the same shape. An
    image where both are empty counts 1. From 0 to 1, higher is better. Also known as Jaccard
    index; it punishes small errors more than `dice` and ranks single images as `dice` does.
    Source: Jaccard, The distribution of the flora in the alpine zone (1912).
    """
    cut = _logit(threshold)

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        both, total = _overlap(snapshot, cut, "iou")
        scores = _quotient(both, total - both, empty=1.0)
        return {"iou": _nan_if_nan(jnp.mean(scores), snapshot)}

    return metric


def dice(threshold: float = 0.5) -> Metric:
    """Mean over images of 2 |P and T| / (|P| + |T|), P where sigmoid(logit) > threshold.

    Predictions are logits (n, height, width), targets masks T of 0 and 1 of the same shape. An
    image where both are empty counts 1. From 0 to 1, higher is better; common in medical imaging.
    Source: Dice, Measures of the amount of ecologic association between species (1945).
    """
    cut = _logit(threshold)

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        both, total = _overlap(snapshot, cut, "dice")
        scores = _quotient(2 * both, total, empty=1.0)
        return {"dice": _nan_if_nan(jnp.mean(scores), snapshot)}

    return metric


def r2() -> Metric:
    """R2 = 1 - sum (target - prediction)^2 / sum (target - mean target)^2, mean over outputs.

    Predictions and targets (n,) or (n, outputs). 1 is perfect, 0 is as good as predicting the
    mean, worse has no bound. An output with constant targets counts 1 if predicted exactly, else
    0. As scikit-learn's `r2_score`. Higher is better; free of the target's unit.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predictions, targets = _quantities(snapshot, "r2")
        residual = jnp.sum((targets - predictions) ** 2, axis=0)
        total = jnp.sum((targets - jnp.mean(targets, axis=0, keepdims=True)) ** 2, axis=0)
        constant = jnp.max(targets, axis=0) == jnp.min(targets, axis=0)
        exact = jnp.where(residual == 0, 1.0, 0.0)
        scores = jnp.where(constant, exact, 1 - residual / jnp.where(constant, 1, total))
        return {"r2": _nan_if_nan(jnp.mean(scores), snapshot)}

    return metric


def rmse() -> Metric:
    """Root of the mean squared difference of prediction and target, mean over outputs.

    Predictions and targets (n,) or (n, outputs). In the unit of the targets as the dataset has
    them: standard deviations where it standardizes them. Lower is better. As scikit-learn's
    `root_mean_squared_error`.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predictions, targets = _quantities(snapshot, "rmse")
        root = jnp.sqrt(jnp.mean((targets - predictions) ** 2, axis=0))
        return {"rmse": _nan_if_nan(jnp.mean(root), snapshot)}

    return metric


def gradient_norm() -> Metric:
    """Euclidean norm of the gradient: batch (global and each layer) and evaluation set.

    `gradient_norm/global` and `gradient_norm/layer/<layer>` are of the batch gradient,
    `gradient_norm/evaluation` of the gradient of the risk on the evaluation set. A layer is a
    parameter's path without its last part, so weight and bias count together. Entries are scaled
    by the largest before they are squared: 1e30 in float32 does not overflow, 1e-30 does not
    vanish. Non-finite where any entry is.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        norms = {}
        if snapshot.gradients is not None:
            norms["gradient_norm/global"] = _norm(jax.tree.leaves(snapshot.gradients))
            for layer, leaves in _layers(snapshot.gradients).items():
                norms[f"gradient_norm/layer/{layer}"] = _norm(leaves)
        if snapshot.evaluation_gradients is not None:
            leaves = jax.tree.leaves(snapshot.evaluation_gradients)
            norms["gradient_norm/evaluation"] = _norm(leaves)
        return norms

    return metric


def update_ratio() -> Metric:
    """Norm of the update over norm of the parameters: `update_ratio`, and for each layer.

    About 1e-3 is usual in training; far less means standing still, far more means noise. Layers
    as in `gradient_norm`. Parameters that are all zero give infinity, or 0 when they are not
    updated either.
    Source: Karpathy, CS231n lecture notes, Neural Networks 3 (2015).
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        if snapshot.updates is None or snapshot.params is None:
            return {}
        updates, params = _layers(snapshot.updates), _layers(snapshot.params)
        leaves = jax.tree.leaves(snapshot.updates), jax.tree.leaves(snapshot.params)
        ratios = {"update_ratio": _ratio(*leaves)}
        for layer in params:
            ratios[f"update_ratio/layer/{layer}"] = _ratio(updates[layer], params[layer])
        return ratios

    return metric


def dead_gradients(absolute: float = 0.0, relative: float = 0.0) -> Metric:
    """Shares of zero gradients: examples, prediction components, weights, and units.

    `dead/examples`: share of examples whose gradient with respect to the prediction is zero in
    every component. `dead/components`: share of prediction components with zero gradient.
    `dead/weights`: share of parameters, biases included, with zero gradient of the risk on the
    evaluation set. `dead/units`: share of units or filters, over all layers, all of whose incoming
    weights have zero gradient there.
    Zero means |g| <= max(absolute, relative * largest |g|), the largest finite one among the
    prediction gradients for the first two and among all parameters for the others. By default
    exactly zero; when every gradient is zero everything is dead. Non-finite is never dead.
    """
    for name, value in (("absolute", absolute), ("relative", relative)):
        if not 0.0 <= value < float("inf"):
            raise UserError(f"`{name}` is {value!r}; expected a tolerance of 0 or more")

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        shares = {}
        if snapshot.prediction_gradients is not None:
            (zero,) = _zeros([snapshot.prediction_gradients], absolute, relative)
            shares["dead/examples"] = jnp.mean(jnp.all(zero.reshape(len(zero), -1), axis=1))
            shares["dead/components"] = jnp.mean(zero)
        if snapshot.evaluation_gradients is not None:
            leaves, structure = jax.tree.flatten(snapshot.evaluation_gradients)
            zeros = _zeros(leaves, absolute, relative)
            shares["dead/weights"] = _share(zeros)
            units = _units(jax.tree.unflatten(structure, zeros), snapshot.filter_axes)
            if units:
                shares["dead/units"] = _share(units)
        return shares

    return metric


def _decisions(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array, int]:
    """Predicted and true labels, and the number of classes."""
    predictions, targets = snapshot.predictions, snapshot.targets
    if predictions.shape == targets.shape:
        return (predictions > 0).astype(jnp.int32), targets.astype(jnp.int32), 2
    if predictions.ndim == 2 and predictions.shape[:1] == targets.shape:
        return jnp.argmax(predictions, axis=1), targets.astype(jnp.int32), predictions.shape[1]
    raise _misfit(
        snapshot, name, "one shape (binary), or logits (n, classes) and labels (n,) (multiclass)"
    )


def _overlap(snapshot: Snapshot, cut: float, name: str) -> tuple[jax.Array, jax.Array]:
    """For each image |P and T| and |P| + |T|."""
    if snapshot.predictions.shape != snapshot.targets.shape or snapshot.predictions.ndim != 3:
        raise _misfit(snapshot, name, "logits and masks of one shape (n, height, width)")
    predicted, target = snapshot.predictions > cut, snapshot.targets > 0.5
    both = _count(predicted & target, axis=(1, 2))
    return both, _count(predicted, axis=(1, 2)) + _count(target, axis=(1, 2))


def _quantities(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    if snapshot.predictions.shape != snapshot.targets.shape:
        raise _misfit(snapshot, name, "one shape, (n,) or (n, outputs)")
    return snapshot.predictions, snapshot.targets.astype(snapshot.predictions.dtype)


def _misfit(snapshot: Snapshot, name: str, expected: str) -> UserError:
    return UserError(
        f"metric `{name}` got predictions {snapshot.predictions.shape} and targets "
        f"{snapshot.targets.shape}; expected {expected}"
    )


def _logit(threshold: float) -> float:
    if not 0.0 < threshold < 1.0:
        raise UserError(f"`threshold` is {threshold!r}; expected a probability between 0 and 1")
    return math.log(threshold / (1.0 - threshold))


def _nan_if_nan(score: jax.Array, snapshot: Snapshot) -> jax.Array:
    return jnp.where(jnp.any(jnp.isnan(snapshot.predictions)), jnp.nan, score)


def _quotient(numerator: jax.Array, denominator: jax.Array, empty: float) -> jax.Array:
    return jnp.where(denominator == 0, empty, numerator / jnp.maximum(denominator, 1))


def _count(condition: jax.Array, axis: int | tuple[int, ...] | None = None) -> jax.Array:
    return jnp.sum(condition, axis=axis, dtype=jnp.int32)


def _layers(tree: Any) -> dict[str, list[jax.Array]]:
    """The arrays of each layer: paths without their last part, whole where they have only one."""
    layers: dict[str, list[jax.Array]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        layer = jax.tree_util.keystr(path[:-1] or path, simple=True, separator="/")
        layers.setdefault(layer or "parameters", []).append(leaf)
    return layers


def _norm(leaves: list[jax.Array]) -> jax.Array:
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves]))
    scale = jnp.where(jnp.isfinite(largest) & (largest > 0), largest, 1)
    squares = jnp.stack([jnp.sum((leaf / scale) ** 2) for leaf in leaves])
    return scale * jnp.sqrt(jnp.sum(squares))


def _ratio(updates: list[jax.Array], params: list[jax.Array]) -> jax.Array:
    numerator, denominator = _norm(updates), _norm(params)
    return jnp.where(numerator == 0, 0.0, numerator / denominator)


def _zeros(leaves: list[jax.Array], absolute: float, relative: float) -> list[jax.Array]:
    sizes = [jnp.abs(leaf) for leaf in leaves]
    finite = [jnp.max(jnp.where(jnp.isfinite(size), size, 0)) for size in sizes]
    tolerance = jnp.maximum(relative * jnp.max(jnp.stack(finite)), absolute)
    return [size <= tolerance for size in sizes]


def _units(zeros: Any, filter_axes: Any) -> list[jax.Array]:
    """For each weight with a filter axis, which of its units have zeros only."""
    units: list[jax.Array] = []

    def collect(axis: int | None, zero: jax.Array | None) -> None:
        if axis is not None and zero is not None:
            units.append(jnp.all(jnp.moveaxis(zero, axis, 0).reshape(zero.shape[axis], -1), axis=1))

    if filter_axes is not None:
        jax.tree.map(collect, filter_axes, zeros, is_leaf=lambda leaf: leaf is None)
    return units


def _share(conditions: list[jax.Array]) -> jax.Array:
    """Share of what is true over all arrays together; counts are exact."""
    total = sum(condition.size for condition in conditions)
    return jnp.sum(jnp.stack([_count(condition) for condition in conditions])) / total
