"""Directions in parameter space along which the risk is sliced.

Each factory returns `direction(key, point) -> pytree like point.params`. `random` is drawn from its
key; the others are computed from what is known of the point, and their key is not used.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from landscape.errors import UserError

PyTree = Any


class Point(NamedTuple):
    """What is known of a point of parameter space, for directions that are computed from it.

    params: the point itself
    filter_axes: pytree like `params` of the filter axis of each weight, None for biases and
        normalization parameters
    gradient: `gradient()` is the gradient of the risk on the evaluation set
    eigenvector: `eigenvector(end, index)` is a unit eigenvector of the Hessian of that risk, of
        its `index`-th `largest` or `smallest` eigenvalue, counted from 1
    update: the last step of the optimizer
    path: checkpoints of training, `params` with a leading axis
    target: the other end of training: the initialization for the trained point
    beside: the direction that spans a plane with this one
    """

    params: PyTree
    filter_axes: PyTree
    gradient: Callable[[], PyTree] | None = None
    eigenvector: Callable[[str, int], PyTree] | None = None
    update: PyTree = None
    path: PyTree = None
    target: PyTree = None
    beside: PyTree = None


Direction = Callable[[jax.Array, Point], PyTree]


def random(
    *,
    normalization: Literal["filter", "layer", "whole", "none"] = "filter",
    biases: Literal["zero", "random"] = "zero",
) -> Direction:
    """Gaussian: every entry is N(0, 1), then normalized to the scale of the parameters.

    `filter`: each filter f (the incoming weights of one unit) becomes d_f ||p_f|| / ||d_f||, so
    that rescaling a whole ReLU layer and undoing it in the next changes no slice; for comparing
    networks and losses (Li et al., Visualizing the Loss Landscape of Neural Nets, 2018).
    `layer`: the same for each weight array as a whole. `whole`: d ||p|| / ||d|| over all
    parameters at once. `none`: as drawn; a unit of distance is then a step of about sqrt(N) in N
    parameters, for comparing mean curvature with trace(H) / N.

    `biases` says what biases and normalization parameters do: `zero` keeps them fixed, the usual
    choice; `random` moves them too, scaled as one filter each. A filter whose norm is zero gives a
    zero direction.

    On a plane, the part of each filter (or layer, or the whole) that lies along the plane's other
    direction is taken off before it is normalized: both directions are then at right angles and
    of the right norm within each filter at once, except in filters of a single weight, and except
    under `none`, which is left as drawn.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        leaves, tree = jax.tree.flatten(point.params)
        axes = tuple(tree.flatten_up_to(point.filter_axes))  # type: ignore[attr-defined]
        beside = None if point.beside is None else jax.tree.leaves(point.beside)
        drawn = _draw(key, leaves, beside, axes, normalization, biases == "random")
        return jax.tree.unflatten(tree, drawn)

    return direction


def gradient(*, normalization: Literal["whole", "none"] = "whole") -> Direction:
    """Gradient of the risk on the evaluation set: the steepest way up from the point.

    `whole`: scaled to the norm of the parameters, so that distances compare with those of `random`
    normalized as a whole. `none`: as it is, in units of the risk; coordinate -c is then one step of
    gradient descent with learning rate c. Biases move as well. Zero where the gradient is.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.gradient is None:
            raise UserError("the gradient is not known at this point")
        return _scaled(point.gradient(), point.params, normalization)

    return direction


def update(*, normalization: Literal["whole", "none"] = "whole") -> Direction:
    """Last step of the optimizer: the way that training was going when it ended.

    What was added to the parameters in the step that led to the trained point, momentum, learning
    rate and weight decay included. `none`: coordinate 1 repeats that step, -1 undoes it.
    Normalization as in `gradient`; zero where training took no step.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.update is None:
            raise UserError(
                "no step of the optimizer led to the initial point",
                hint="use the direction `update` with `at: [trained]`",
            )
        return _scaled(point.update, point.params, normalization)

    return direction


def eigenvector(
    *,
    index: int = 1,
    end: Literal["largest", "smallest"] = "largest",
    normalization: Literal["whole", "none"] = "whole",
) -> Direction:
    """Eigenvector of the Hessian: the sharpest way, or with `end: smallest` the most concave.

    H v = lambda v for the `index`-th largest or smallest (most negative) eigenvalue of the Hessian
    of the risk on the evaluation set, by Lanczos iteration. Beside a random slice it shows what
    that one cannot: in N parameters a random direction sees the mean curvature trace(H) / N only.
    `none`: a unit vector. Its sign is arbitrary. Source: Yao et al., PyHessian (2020).
    """
    if index < 1:
        raise UserError(f"`index` counts eigenvectors from 1, found {index}")

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.eigenvector is None:
            raise UserError("the eigenvectors are not known at this point")
        return _scaled(point.eigenvector(end, index), point.params, normalization)

    return direction


def trajectory(*, component: int = 1) -> Direction:
    """Principal component of the path of training: the plane on which the path can be seen.

    The `component`-th right singular vector of the checkpoints' differences from the point, not
    centered, so that the point itself lies on every plane of components. Scaled so that the
    projection of the farthest checkpoint is at distance 1. Needs `checkpoints` in the config.
    Random directions are nearly orthogonal to any path and do not show it.
    Source: Li et al., Visualizing the Loss Landscape of Neural Nets (2018), section 7.
    """
    if component < 1:
        raise UserError(f"`component` counts from 1, found {component}")

    def direction(key: jax.Array, point: Point) -> PyTree:
        steps = 0 if point.path is None else jax.tree.leaves(point.path)[0].shape[0]
        if component > steps:
            raise UserError(
                f"component {component} of the trajectory needs as many checkpoints, found {steps}",
                hint="set `checkpoints: 20` in the config",
            )
        tree = jax.tree.map(lambda path, at: path - at[None], point.path, point.params)
        flat = jnp.concatenate([leaf.reshape(steps, -1) for leaf in jax.tree.leaves(tree)], axis=1)
        _, _, components = jnp.linalg.svd(flat, full_matrices=False)
        unit = components[component - 1]
        projections = flat @ unit
        farthest = projections[jnp.argmax(jnp.abs(projections))]
        return ravel_pytree(point.params)[1](unit * farthest)

    return direction


def interpolation() -> Direction:
    """Straight way to the other end of training: initialization at 1, trained point at 0.

    From the initial point it is the way to the trained one. Shows whether a barrier lies on the
    straight way that training did not take.
    Source: Goodfellow, Vinyals, Saxe, Qualitatively Characterizing Neural Network Optimization
    Problems (2015).
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.target is None:
            raise UserError("there is no other end of training to interpolate to")
        return jax.tree.map(lambda end, start: end - start, point.target, point.params)

    return direction


@functools.partial(jax.jit, static_argnames=("axes", "normalization", "biases"))
def _draw(
    key: jax.Array,
    leaves: list[jax.Array],
    beside: list[jax.Array] | None,
    axes: tuple[int | None, ...],
    normalization: str,
    biases: bool,
) -> list[jax.Array]:
    moving = [i for i, axis in enumerate(axes) if axis is not None or biases]
    drawn = [jnp.zeros_like(leaf) for leaf in leaves]
    if not moving:
        return drawn

    def joined(arrays: list[jax.Array]) -> jax.Array:
        return jnp.concatenate([arrays[i].ravel() for i in moving])

    # One draw for all compiles ten times faster than one for each array.
    ends = list(itertools.accumulate(leaves[i].size for i in moving))
    dtype = jnp.result_type(*(leaves[i] for i in moving))
    flat = jax.random.normal(key, (ends[-1],), dtype)
    if normalization == "whole":
        other = None if beside is None else joined(beside)
        flat = _with_norms_of(joined(leaves), flat, other, None)
    for i, part in zip(moving, jnp.split(flat, ends[:-1]), strict=True):
        drawn[i] = part.reshape(leaves[i].shape).astype(leaves[i].dtype)
    if normalization in ("whole", "none"):
        return drawn
    for i in moving:
        axis = axes[i] if normalization == "filter" else None
        other = None if beside is None else beside[i]
        drawn[i] = _with_norms_of(leaves[i], drawn[i], other, axis)
    return drawn


def _with_norms_of(
    params: jax.Array, direction: jax.Array, beside: jax.Array | None, axis: int | None
) -> jax.Array:
    """`direction` with the norm of `params` in every filter, at right angles to `beside` there.

    One filter where `axis` is None.
    """
    others = tuple(i for i in range(params.ndim) if i != axis)
    weights = math.prod(params.shape[i] for i in others)

    def dot(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.sum(a * b, axis=others, keepdims=True)

    if beside is not None and weights > 1:
        length = dot(beside, beside)
        for _ in range(2):  # the second time takes off what rounding left of the first
            along = jnp.where(length > 0, dot(direction, beside) / length, 0)
            direction = direction - along * beside
    return direction * jnp.sqrt(dot(params, params) / dot(direction, direction))


def _scaled(direction: PyTree, params: PyTree, normalization: str) -> PyTree:
    if normalization == "none":
        return direction
    norm = optax.tree.norm(direction)
    ratio = jnp.where(norm > 0, optax.tree.norm(params) / jnp.where(norm > 0, norm, 1), 0)
    return jax.tree.map(lambda d: d * ratio, direction)
