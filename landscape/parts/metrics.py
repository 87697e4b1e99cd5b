"""Metrics: `metric = factory(**options)`, then `metric(snapshot) -> {"name/part": scalar}`.

A metric is a pure function of a snapshot and can be jitted; its keys depend on shapes only. Task
metrics (accuracy, f1, iou, dice, r2, rmse) use predictions and targets and are NaN if a prediction
is NaN, so that a diverged model has no score. Gradient metrics omit the keys for which the snapshot
has no values. Raises UserError if shapes do not fit or an option is out of range.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_in


class Snapshot(NamedTuple):
    """The state of a model at one step; all fields but the first two are optional.

    predictions: raw outputs on the whole evaluation set, (n,), (n, outputs) or (n, height, width)
    targets: as in `Dataset`: labels (n,) for multiclass, else shaped like the predictions
    prediction_gradients: gradient of the sum of the loss with respect to the predictions
    params, gradients, updates: pytrees of one structure: parameters, gradient of the risk on the
        batch (what the optimizer receives), what the optimizer adds to the parameters
    evaluation_gradients: gradient of the risk on the evaluation set
    filter_axes: pytree like params of the static axis of filters or output units, None for biases
        and normalization parameters
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

HIGHER_IS_BETTER = dict.fromkeys(("accuracy", "f1", "iou", "dice", "r2"), True) | {"rmse": False}


def accuracy() -> Metric:
    """Fraction of correct predictions: logit > 0 for binary, largest logit for multiclass.

    Predictions and targets of the same shape are binary; predictions (n, classes) with labels (n,)
    are multiclass, where a tie goes to the first class. From 0 to 1, higher is better. Choose it if
    classes are about equally frequent; otherwise use `f1` too.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predicted, targets, _ = _decisions(snapshot, "accuracy")
        correct = (predicted == targets).astype(snapshot.predictions.dtype)
        return _scored("accuracy", jnp.mean(correct), snapshot)

    return metric


def f1() -> Metric:
    """F1 = 2 TP / (2 TP + FP + FN): of class 1 for binary, mean over classes for multiclass.

    Shapes and decisions as in `accuracy`. Binary: 0 if class 1 is neither a target nor predicted.
    Multiclass (macro): classes have equal weights; a class that is neither a target nor predicted
    is excluded. Equal to scikit-learn's `f1_score` with zero_division=0. From 0 to 1, higher is
    better. Source: van Rijsbergen, Information Retrieval (1979). Choose it if classes are
    imbalanced.
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
        return _scored("f1", score, snapshot)

    return metric


def iou(threshold: float = 0.5) -> Metric:
    """Mean over images of |P and T| / |P or T|, P where sigmoid(logit) > threshold.

    Predictions are logits (n, height, width), targets masks T of 0 and 1 of the same shape. An
    image scores 1 if both are empty. From 0 to 1, higher is better. Also known as the Jaccard
    index; it penalizes small errors more than `dice` and ranks single images identically. Source:
    Jaccard, The distribution of the flora in the alpine zone (1912). Choose it for masks.
    """
    return _overlap_metric("iou", threshold, lambda both, total: (both, total - both))


def dice(threshold: float = 0.5) -> Metric:
    """Mean over images of 2 |P and T| / (|P| + |T|), P where sigmoid(logit) > threshold.

    Shapes and range as in `iou`. Source: Dice, Measures of the amount of ecologic association
    between species (1945). Choose it to compare with results in medical imaging.
    """
    return _overlap_metric("dice", threshold, lambda both, total: (2 * both, total))


def r2() -> Metric:
    """R2 = 1 - sum (target - prediction)^2 / sum (target - mean target)^2, mean over outputs.

    Predictions and targets (n,) or (n, outputs). 1 is perfect, 0 equals predicting the mean, and
    there is no lower bound; higher is better. An output with constant targets scores 1 if predicted
    exactly, else 0. Equal to scikit-learn's `r2_score`. Choose it for a score without units.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predictions, targets = _quantities(snapshot, "r2")
        residual = jnp.sum((targets - predictions) ** 2, axis=0)
        total = jnp.sum((targets - jnp.mean(targets, axis=0, keepdims=True)) ** 2, axis=0)
        constant = jnp.max(targets, axis=0) == jnp.min(targets, axis=0)
        exact = jnp.where(residual == 0, 1.0, 0.0)
        scores = jnp.where(constant, exact, 1 - residual / jnp.where(constant, 1, total))
        return _scored("r2", jnp.mean(scores), snapshot)

    return metric


def rmse() -> Metric:
    """Root of the mean squared difference of prediction and target, mean over outputs.

    Predictions and targets (n,) or (n, outputs). In the unit of the dataset's targets: standard
    deviations if they are standardized. Lower is better. Equal to scikit-learn's
    `root_mean_squared_error`. Choose it for errors in the unit of the targets.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        predictions, targets = _quantities(snapshot, "rmse")
        root = jnp.sqrt(jnp.mean((targets - predictions) ** 2, axis=0))
        return _scored("rmse", jnp.mean(root), snapshot)

    return metric


def gradient_norm() -> Metric:
    """Euclidean norm of the gradient: batch (global and per layer) and evaluation set.

    `gradient_norm/global` and `gradient_norm/layer/<layer>` describe the batch gradient,
    `gradient_norm/evaluation` the gradient of the risk on the evaluation set. A layer is a
    parameter's path without its last part: weight and bias together. Entries are divided by the
    largest before they are squared: in float32, 1e30 does not overflow and 1e-30 does not vanish.
    Non-finite if any entry is.
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        norms = {}
        if snapshot.gradients is not None:
            layers = _layer_norms(snapshot.gradients)
            norms["gradient_norm/global"] = _norm([*layers.values()])
            norms |= {f"gradient_norm/layer/{layer}": norm for layer, norm in layers.items()}
        if snapshot.evaluation_gradients is not None:
            leaves = jax.tree.leaves(snapshot.evaluation_gradients)
            norms["gradient_norm/evaluation"] = _norm(leaves)
        return norms

    return metric


def update_ratio() -> Metric:
    """Norm of the update over norm of the parameters: `update_ratio`, and per layer.

    About 1e-3 is usual in training; far less means no progress, far more means noise. Layers as in
    `gradient_norm`. For parameters that are all zero, infinity, or 0 if the update is zero too.
    Source: Karpathy, CS231n lecture notes, Neural Networks 3 (2015).
    """

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        if snapshot.updates is None or snapshot.params is None:
            return {}
        updates, params = _layer_norms(snapshot.updates), _layer_norms(snapshot.params)
        ratios = {"update_ratio": _ratio(_norm([*updates.values()]), _norm([*params.values()]))}
        for layer in params:
            ratios[f"update_ratio/layer/{layer}"] = _ratio(updates[layer], params[layer])
        return ratios

    return metric


def dead_gradients(absolute: float = 0.0, relative: float = 0.0) -> Metric:
    """Fractions of zero gradients: examples, prediction components, weights and units.

    `dead/examples`: examples whose gradient with respect to the prediction is zero in every
    component. `dead/components`: prediction components with zero gradient. `dead/weights`:
    parameters, biases included, with zero gradient of the risk on the evaluation set. `dead/units`:
    units or filters of all layers whose incoming weights all have zero gradient there.
    Zero means |g| <= max(absolute, relative * largest |g|), the largest finite value among the
    prediction gradients for the first two and among all parameters for the others; exactly zero by
    default. If every gradient is zero, everything is dead; non-finite gradients are not.
    """
    check_in("[0, inf)", absolute=absolute, relative=relative)

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        fractions = {}
        if snapshot.prediction_gradients is not None:
            (zero,) = _zeros([snapshot.prediction_gradients], absolute, relative)
            zero = zero.reshape(len(zero), -1)
            # Counts are exact in float32, whose sums are faster than those of truth values.
            counts = jnp.sum(zero, axis=1, dtype=jnp.float32)
            fractions["dead/examples"] = jnp.mean(counts == zero.shape[1])
            fractions["dead/components"] = jnp.sum(counts) / zero.size
        if snapshot.evaluation_gradients is not None:
            leaves, structure = jax.tree.flatten(snapshot.evaluation_gradients)
            zeros = jax.tree.unflatten(structure, _zeros(leaves, absolute, relative))
            zero_counts, units = _count_zeros(zeros, snapshot.filter_axes)
            size = sum(leaf.size for leaf in leaves)
            fractions["dead/weights"] = jnp.sum(jnp.stack(zero_counts)) / size
            if units:
                total = sum(unit.size for unit in units)
                fractions["dead/units"] = jnp.sum(jnp.stack([*map(_count, units)])) / total
        return fractions

    return metric


def _decisions(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array, int]:
    """Returns predicted and true labels, and the number of classes."""
    predictions, targets = snapshot.predictions, snapshot.targets
    if predictions.shape == targets.shape:
        return (predictions > 0).astype(jnp.int32), targets.astype(jnp.int32), 2
    if predictions.ndim == 2 and predictions.shape[:1] == targets.shape:
        return jnp.argmax(predictions, axis=1), targets.astype(jnp.int32), predictions.shape[1]
    raise _misfit(
        snapshot, name, "one shape (binary), or logits (n, classes) and labels (n,) (multiclass)"
    )


def _overlap_metric(name: str, threshold: float, ratio: Callable[..., tuple]) -> Metric:
    """`ratio(|P and T|, |P| + |T|)` is the numerator and the denominator of an image's score."""
    check_in("(0, 1)", threshold=threshold)
    cut = math.log(threshold / (1.0 - threshold))

    def metric(snapshot: Snapshot) -> dict[str, jax.Array]:
        if snapshot.predictions.shape != snapshot.targets.shape or snapshot.predictions.ndim != 3:
            raise _misfit(snapshot, name, "logits and masks of one shape (n, height, width)")
        predicted, target = snapshot.predictions > cut, snapshot.targets > 0.5
        both = _count(predicted & target, axis=(1, 2))
        total = _count(predicted, axis=(1, 2)) + _count(target, axis=(1, 2))
        numerator, denominator = ratio(both, total)
        scores = _quotient(numerator, denominator, empty=1.0)
        return _scored(name, jnp.mean(scores), snapshot)

    return metric


def _quantities(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    if snapshot.predictions.shape != snapshot.targets.shape:
        raise _misfit(snapshot, name, "one shape, (n,) or (n, outputs)")
    return snapshot.predictions, snapshot.targets.astype(snapshot.predictions.dtype)


def _misfit(snapshot: Snapshot, name: str, expected: str) -> UserError:
    return UserError(
        f"metric `{name}` got predictions {snapshot.predictions.shape} and targets "
        f"{snapshot.targets.shape}; expected {expected}"
    )


def _scored(name: str, score: jax.Array, snapshot: Snapshot) -> dict[str, jax.Array]:
    return {name: jnp.where(jnp.any(jnp.isnan(snapshot.predictions)), jnp.nan, score)}


def _quotient(numerator: jax.Array, denominator: jax.Array, empty: float) -> jax.Array:
    return jnp.where(denominator == 0, empty, numerator / jnp.maximum(denominator, 1))


def _count(condition: jax.Array, axis: int | tuple[int, ...] | None = None) -> jax.Array:
    return jnp.sum(condition, axis=axis, dtype=jnp.int32)


def _layers(tree: Any) -> dict[str, list[jax.Array]]:
    """Returns the arrays of each layer: the path without its last part, unless that is all."""
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


def _layer_norms(tree: Any) -> dict[str, jax.Array]:
    return {layer: _norm(leaves) for layer, leaves in _layers(tree).items()}


def _ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    return jnp.where(numerator == 0, 0.0, numerator / denominator)


def _zeros(leaves: list[jax.Array], absolute: float, relative: float) -> list[jax.Array]:
    sizes = [jnp.abs(leaf) for leaf in leaves]
    if relative == 0:
        return [size <= absolute for size in sizes]
    finite = [jnp.max(jnp.where(jnp.isfinite(size), size, 0)) for size in sizes]
    tolerance = jnp.maximum(relative * jnp.max(jnp.stack(finite)), absolute)
    return [size <= tolerance for size in sizes]


def _count_zeros(zeros: Any, filter_axes: Any) -> tuple[list[jax.Array], list[jax.Array]]:
    """Returns the number of zeros of each array, and which units are all zero of each weight.

    Only weights have a filter axis. Counts are exact.
    """
    counts: list[jax.Array] = []
    units: list[jax.Array] = []

    def collect(zero: jax.Array, axis: int | None = None) -> None:
        if axis is None:
            counts.append(_count(zero))
            return
        others = tuple(other for other in range(zero.ndim) if other != axis % zero.ndim)
        per_unit = _count(zero, axis=others)
        counts.append(jnp.sum(per_unit))
        units.append(per_unit * zero.shape[axis] == zero.size)

    jax.tree.map(collect, zeros, *([] if filter_axes is None else [filter_axes]))
    return counts, units
