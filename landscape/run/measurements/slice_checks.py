"""Checks of the slices at a point."""

import functools
from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from landscape.errors import first_line
from landscape.numerics import checks, slices
from landscape.numerics.compiling import jit_loop
from landscape.numerics.example_stream import ExampleStream
from landscape.numerics.float64_probes import STEPS, Rays
from landscape.run.measurements.measured_point import MeasuredPoint
from landscape.run.measurements.slice_sets import SliceSet
from landscape.run.training_inputs import seed_key

PyTree = Any

# Vectors that estimate the mean curvature: random directions that are followed for their second
# differences, and independent signs, which need only one product with the Hessian each.
FOLLOWED, SIGNS = 24, 64
# Directions of each set that are followed in float64, and points of each at which two halves of the
# evaluation set are compared.
CHECKED, GRID = 3, 9


def check_slices(point: MeasuredPoint, sets: list[SliceSet]) -> list[checks.Check]:
    """Checks the slices at a point; adds `slope` and `curvature` to the arrays of line sets."""
    risk = point.risk
    simple = [
        check
        for slice_set in sets
        for check in (
            checks.center(slice_set.where, slice_set.center, risk),
            checks.finite(slice_set.where, slice_set.arrays["risk"]),
        )
    ]
    if isinstance(point.examples, ExampleStream):
        return simple + _without_float64(point, sets)
    try:
        return simple + _check_in_float64(point, sets)
    except Exception as error:
        reason = f"failed in float64: {first_line(error)}"
        names = ("second_difference", "evaluation_noise")
        undecided = [checks.undecided(name, s.where, reason) for s in sets for name in names]
        return [*simple, *undecided, checks.undecided("mean_curvature", point.end, reason)]


def _without_float64(point: MeasuredPoint, sets: list[SliceSet]) -> list[checks.Check]:
    """Adds the derivatives along lines; probes in float64 would take several times the memory."""
    assert point.program.instruments.streamed is not None
    derivatives = point.program.instruments.streamed.derivatives
    for slice_set in sets:
        if "coordinates" in slice_set.arrays:
            arguments = point.program.loss, point.params
            pairs = [derivatives(*arguments, d, point.examples) for d in slice_set.directions]
            slope, curvature = np.array(pairs, np.float32).T
            slice_set.arrays.update(slope=slope, curvature=curvature)
    reason = "not computed for streamed batches: it takes several copies of the parameters"
    names = ("second_difference", "evaluation_noise")
    undecided = [checks.undecided(name, s.where, reason) for s in sets for name in names]
    return [*undecided, checks.undecided("mean_curvature", point.end, reason)]


class _ProbedSet(NamedTuple):
    """Float64 probes of one set: of its followed directions, and derivatives along all."""

    settled: list[checks.SecondDifference]
    halves: tuple[np.ndarray, np.ndarray]
    slope: np.ndarray
    curvature: np.ndarray


class _MeanProbes(NamedTuple):
    """Probes of the mean curvature per unit length: of followed directions, and of signs."""

    settled: list[checks.SecondDifference]
    curvature: np.ndarray
    product_norm: np.ndarray


def _check_in_float64(point: MeasuredPoint, sets: list[SliceSet]) -> list[checks.Check]:
    probed_sets, mean_probes = _probe(point, sets)
    results = []
    for slice_set, probed in zip(sets, probed_sets, strict=True):
        followed = len(probed.settled)
        if "coordinates" in slice_set.arrays:
            slice_set.arrays["slope"] = probed.slope
            slice_set.arrays["curvature"] = probed.curvature
        where = slice_set.where
        results.append(checks.curvature_along(where, probed.settled, probed.curvature[:followed]))
        results.append(
            checks.undecided("evaluation_noise", where, "fewer than two examples to compare")
            if len(point.examples.targets) < 2
            else checks.evaluation_noise(where, probed.halves, GRID // 2)
        )
    size = sum(leaf.size for leaf in jax.tree.leaves(point.params))
    return [*results, checks.mean_curvature(point.end, *mean_probes, size)]


def _probe(point: MeasuredPoint, sets: list[SliceSet]) -> tuple[list[_ProbedSet], _MeanProbes]:
    """Probes the directions of every set, and random ones, in one call.

    The followed directions come first: CHECKED of each set, then FOLLOWED random ones. Signs and
    the other directions of the sets are only differentiated.
    """
    unit = max(float(slices.norm(point.params)), 1e-12)
    sphere, signs = _random_vectors(seed_key(point.run.seed, "mean curvature"), point.params, unit)
    followed = [s.directions[:CHECKED] for s in sets]
    others = [s.directions[CHECKED:] for s in sets]
    radii = [s.radius for s, group in zip(sets, followed, strict=True) for _ in group]
    radii += [1.0] * FOLLOWED
    rays = point.program.instruments.rays(
        point.program.loss,
        point.params,
        _stacked([*chain(*followed)], sphere, signs, [*chain(*others)]),
        np.stack([_distances(radius) for radius in radii]),
        np.stack([np.linspace(-radius, radius, GRID) for radius in radii]),
        point.examples,
    )
    settled = [_settled(risk, radius) for radius, risk in zip(radii, rays.near, strict=True)]
    groups = [*map(len, followed), FOLLOWED, SIGNS, *map(len, others)]
    parts = _split(rays, settled, groups)
    count = len(sets)
    probed = [_probed_set(*pair) for pair in zip(parts[:count], parts[count + 2 :], strict=True)]
    return probed, _mean_probes(parts[count], parts[count + 1], unit)


class _Part(NamedTuple):
    """The rays of one group of directions; those that were not followed have no `settled`."""

    settled: list[checks.SecondDifference]
    rays: Rays


def _split(rays: Rays, settled: list[checks.SecondDifference], groups: list[int]) -> list[_Part]:
    """Splits the rays by groups of directions, in their order."""
    ends = np.cumsum(groups)
    parts = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        values = Rays(*(array[start:end] for array in rays))
        parts.append(_Part(settled[start:end], values))
    return parts


def _probed_set(followed: _Part, others: _Part) -> _ProbedSet:
    return _ProbedSet(
        followed.settled,
        (followed.rays.first, followed.rays.second),
        np.concatenate([followed.rays.slope, others.rays.slope]),
        np.concatenate([followed.rays.curvature, others.rays.curvature]),
    )


def _mean_probes(sphere: _Part, signs: _Part, unit: float) -> _MeanProbes:
    settled = [
        s._replace(value=s.value / unit**2, rounding=s.rounding / unit**2) for s in sphere.settled
    ]
    return _MeanProbes(settled, signs.rays.curvature / unit**2, signs.rays.product_norm / unit)


def _distances(radius: float) -> np.ndarray:
    """Returns both sides of each step of a second difference, then zero."""
    return radius * np.concatenate([-STEPS, STEPS, [0.0]])


def _settled(risk: np.ndarray, radius: float) -> checks.SecondDifference:
    count = len(STEPS)
    left, right = risk[:count], risk[count : 2 * count]
    return checks.second_difference(STEPS * radius, left, float(risk[-1]), right)


def _stacked(followed: list[PyTree], sphere: PyTree, signs: PyTree, others: list[PyTree]) -> PyTree:
    """Stacks all directions along a leading axis, in NumPy."""

    def leaf(sphere: jax.Array, signs: jax.Array, *directions: jax.Array) -> np.ndarray:
        rows = [np.asarray(d)[None] for d in directions]
        return np.concatenate([*rows[: len(followed)], sphere, signs, *rows[len(followed) :]])

    return jax.tree.map(leaf, sphere, signs, *followed, *others)


@jit_loop
def _random_vectors(key: jax.Array, params: PyTree, norm: jax.Array) -> tuple[PyTree, PyTree]:
    """Draws directions of one norm: uniform on the sphere, and of independent signs."""

    def scaled(draw: Callable[..., jax.Array], key: jax.Array) -> PyTree:
        tree = optax.tree.random_like(key, params, draw)
        return optax.tree.scale(norm / optax.tree.norm(tree), tree)

    kinds = ((FOLLOWED, jax.random.normal), (SIGNS, jax.random.rademacher))
    sphere, signs = (
        jax.lax.map(
            functools.partial(scaled, draw), jax.random.split(jax.random.fold_in(key, n), count)
        )
        for n, (count, draw) in enumerate(kinds)
    )
    return sphere, signs
