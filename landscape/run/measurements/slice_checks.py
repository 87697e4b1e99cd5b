"""The checks that ride along with the slices at a point."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from landscape.errors import first_line
from landscape.numerics import checks, slices
from landscape.numerics.compiling import jit_loop
from landscape.numerics.float64_probes import STEPS
from landscape.run.measurements.measured_point import MeasuredPoint
from landscape.run.measurements.slice_sets import Slice
from landscape.run.program import seed_key

PyTree = Any

# Vectors that estimate the mean curvature: random directions that are followed for their second
# differences, and independent signs, for which one product with the Hessian each is enough.
FOLLOWED, SIGNS = 24, 64
# Directions of each set that are followed in float64, and points of each on which two halves of the
# evaluation set are compared.
CHECKED, GRID = 3, 9


def checked(around: MeasuredPoint, sets: list[Slice]) -> list[checks.Check]:
    """The checks of the slices at a point; line sets receive their `slope` and `curvature`."""
    risk = around.training.risk(around.at)
    made = [
        check
        for found in sets
        for check in (
            checks.center(found.where, found.center, risk),
            checks.finite(found.where, found.arrays["risk"]),
        )
    ]
    try:
        return made + _by_rays(around, sets)
    except Exception as error:
        reason = f"not made in float64: {first_line(error)}"
        names = ("second_difference", "evaluation_noise")
        made += [checks.undecided(name, found.where, reason) for found in sets for name in names]
        return [*made, checks.undecided("mean_curvature", around.at, reason)]


def _by_rays(around: MeasuredPoint, sets: list[Slice]) -> list[checks.Check]:
    """Checks that need float64: directions of every set, and random ones, as rays."""
    unit = max(float(slices.norm(around.params)), 1e-12)
    sphere, signs = _probes(seed_key(around.run.seed, "mean curvature"), around.params, unit)
    radii = [found.radius for found in sets for _ in found.directions[:CHECKED]]
    radii += [1.0] * FOLLOWED
    rest = [d for found in sets for d in found.directions[CHECKED:]]
    traced = around.program.instruments.rays(
        around.params,
        _stacked([d for found in sets for d in found.directions[:CHECKED]], sphere, signs, rest),
        np.stack([_steps(radius) for radius in radii]),
        np.stack([np.linspace(-radius, radius, GRID) for radius in radii]),
        around.examples,
    )
    settled = [_settled(risk, radius) for radius, risk in zip(radii, traced.near, strict=True)]
    alone = len(around.examples.targets) < 2
    made, start, left = [], 0, len(radii) + SIGNS
    for found in sets:
        own = slice(start, start + len(found.directions[:CHECKED]))
        more = slice(left, left + len(found.directions[CHECKED:]))
        start, left = own.stop, more.stop
        if "coordinates" in found.arrays:
            for name in ("slope", "curvature"):
                values = getattr(traced, name)
                found.arrays[name] = np.concatenate([values[own], values[more]])
        made.append(checks.curvature_along(found.where, settled[own], traced.curvature[own]))
        halves = (traced.first[own], traced.second[own])
        made.append(
            checks.undecided("evaluation_noise", found.where, "fewer than two examples to compare")
            if alone
            else checks.evaluation_noise(found.where, halves, GRID // 2)
        )
    random = [
        s._replace(value=s.value / unit**2, rounding=s.rounding / unit**2)
        for s in settled[start : len(radii)]
    ]
    probes = slice(len(radii), len(radii) + SIGNS)
    size = sum(leaf.size for leaf in jax.tree.leaves(around.params))
    bends = traced.bend[probes] / unit
    return [
        *made,
        checks.mean_curvature(around.at, random, traced.curvature[probes] / unit**2, bends, size),
    ]


def _steps(radius: float) -> np.ndarray:
    """Both sides of each step of a second difference, then the point itself."""
    return radius * np.concatenate([-STEPS, STEPS, [0.0]])


def _settled(risk: np.ndarray, radius: float) -> checks.Settled:
    count = len(STEPS)
    left, right = risk[:count], risk[count : 2 * count]
    return checks.second_difference(STEPS * radius, left, float(risk[-1]), right)


def _stacked(checked: list[PyTree], sphere: PyTree, signs: PyTree, rest: list[PyTree]) -> PyTree:
    """All directions with a leading axis, in NumPy."""

    def leaf(sphere: jax.Array, signs: jax.Array, *others: jax.Array) -> np.ndarray:
        first, last = others[: len(checked)], others[len(checked) :]
        parts = [*(np.asarray(d)[None] for d in first), sphere, signs]
        return np.concatenate([*parts, *(np.asarray(d)[None] for d in last)])

    return jax.tree.map(leaf, sphere, signs, *checked, *rest)


@jit_loop
def _probes(key: jax.Array, params: PyTree, norm: jax.Array) -> tuple[PyTree, PyTree]:
    """Directions of one norm: uniform on the sphere, and of independent signs."""

    def drawn(draw: Callable[..., jax.Array], key: jax.Array) -> PyTree:
        tree = optax.tree.random_like(key, params, draw)
        return optax.tree.scale(norm / optax.tree.norm(tree), tree)

    kinds = ((FOLLOWED, jax.random.normal), (SIGNS, jax.random.rademacher))
    sphere, signs = (
        jax.lax.map(
            functools.partial(drawn, draw), jax.random.split(jax.random.fold_in(key, n), count)
        )
        for n, (count, draw) in enumerate(kinds)
    )
    return sphere, signs
