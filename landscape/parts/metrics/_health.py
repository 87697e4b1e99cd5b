"""Measurements of gradients, updates and dead units; losses are not judged by them.

A measurement maps a snapshot to scalars by name, `{"name/part": scalar}`; the names depend on
shapes only. Those for which the snapshot has no values are omitted.
"""

from typing import Any

import jax
import jax.numpy as jnp

from landscape.parts._options import check_in
from landscape.parts.metrics._metric import Measurement, Snapshot, count


def gradient_norm() -> Measurement:
    """Euclidean norm of the gradient: batch (global and per layer) and evaluation set.

    `gradient_norm/global` and `gradient_norm/layer/<layer>` describe the batch gradient,
    `gradient_norm/evaluation` the gradient of the risk on the evaluation set. A layer is a
    parameter's path without its last part: weight and bias together. Entries are divided by the
    largest before they are squared: in float32, 1e30 does not overflow and 1e-30 does not vanish.
    Non-finite if any entry is.
    """

    def measure(snapshot: Snapshot) -> dict[str, jax.Array]:
        norms = {}
        if snapshot.gradients is not None:
            layers = _layer_norms(snapshot.gradients)
            norms["gradient_norm/global"] = _norm([*layers.values()])
            norms |= {f"gradient_norm/layer/{layer}": norm for layer, norm in layers.items()}
        if snapshot.evaluation_gradients is not None:
            leaves = jax.tree.leaves(snapshot.evaluation_gradients)
            norms["gradient_norm/evaluation"] = _norm(leaves)
        return norms

    return measure


def update_ratio() -> Measurement:
    """Norm of the update over norm of the parameters: `update_ratio`, and per layer.

    About 1e-3 is usual in training; far less means no progress, far more means noise. Layers as in
    `gradient_norm`. For parameters that are all zero, infinity, or 0 if the update is zero too.
    Source: Karpathy, CS231n lecture notes, Neural Networks 3 (2015).
    """

    def measure(snapshot: Snapshot) -> dict[str, jax.Array]:
        if snapshot.updates is None or snapshot.params is None:
            return {}
        updates, params = _layer_norms(snapshot.updates), _layer_norms(snapshot.params)
        ratios = {"update_ratio": _ratio(_norm([*updates.values()]), _norm([*params.values()]))}
        for layer in params:
            ratios[f"update_ratio/layer/{layer}"] = _ratio(updates[layer], params[layer])
        return ratios

    return measure


def dead_gradients(absolute: float = 0.0, relative: float = 0.0) -> Measurement:
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

    def measure(snapshot: Snapshot) -> dict[str, jax.Array]:
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
                fractions["dead/units"] = jnp.sum(jnp.stack([*map(count, units)])) / total
        return fractions

    return measure


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
            counts.append(count(zero))
            return
        others = tuple(other for other in range(zero.ndim) if other != axis % zero.ndim)
        per_unit = count(zero, axis=others)
        counts.append(jnp.sum(per_unit))
        units.append(per_unit * zero.shape[axis] == zero.size)

    jax.tree.map(collect, zeros, *([] if filter_axes is None else [filter_axes]))
    return counts, units
