"""The checks that ride along with the slices at a point."""

from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from landscape import checks
from landscape.measurements.sets import Slice, center
from landscape.measurements.surroundings import Surroundings
from landscape.program import seed_key
from landscape.rays import STEPS

PyTree = Any

# Vectors that estimate the mean curvature, once by second differences and once by d'Hd.
MEAN_CURVATURE_PROBES = 12
# Directions of each set that are followed in float64, and points of each on which two halves of the
# evaluation set are compared.
CHECKED, CHECKED_POINTS = 3, 9


def checked(around: Surroundings, sets: list[Slice]) -> list[checks.Check]:
    """The checks of the slices at a point; line sets receive their `slope` and `curvature`."""
    risk = around.training.risk(around.at)
    made = [
        check
        for found in sets
        for check in (
            checks.center(found.where, float(center(found)["risk"]), risk),
            checks.finite(found.where, found.arrays["risk"]),
        )
    ]
    rays = [found for found in sets if "/lines/" in found.where]
    if not rays:
        return made
    try:
        return made + _by_rays(around, rays)
    except Exception as error:
        reason = f"not made in float64: {type(error).__name__}: {str(error).splitlines()[0]}"
        names = ("second_difference", "evaluation_noise")
        made += [checks.undecided(name, found.where, reason) for found in rays for name in names]
        return [*made, checks.undecided("mean_curvature", around.at, reason)]


def _by_rays(around: Surroundings, sets: list[Slice]) -> list[checks.Check]:
    """Checks that need float64: directions of every set, and random ones, as rays."""
    rays: list[_Ray] = [
        _Ray(number, found.radius)
        for number, found in enumerate(sets)
        for _ in found.directions[:CHECKED]
    ]
    directions = [d for found in sets for d in found.directions[:CHECKED]]
    unit = max(float(optax.tree.norm(around.params)), 1e-12)
    sphere, signs = _probes(around, unit)
    rays += [_Ray(None, 1.0) for _ in sphere]
    rest = [d for found in sets for d in found.directions[CHECKED:]]
    traced = around.program.instruments.rays(
        around.params,
        [*directions, *sphere, *signs, *rest],
        list(range(len(rays))),
        np.stack([_places(ray.radius) for ray in rays]),
        around.examples,
    )
    settled = [_settled(risk, ray.radius) for ray, risk in zip(rays, traced.risk, strict=True)]
    made = []
    left = len(rays) + len(signs)
    for number, found in enumerate(sets):
        own = [i for i, ray in enumerate(rays) if ray.number == number]
        more = list(range(left, left + len(found.directions) - len(own)))
        left += len(more)
        found.arrays["slope"] = traced.slope[own + more].astype(np.float32)
        found.arrays["curvature"] = traced.curvature[own + more].astype(np.float32)
        seconds = [settled[i] for i in own]
        made.append(checks.curvature_along(found.where, seconds, traced.curvature[own]))
        halves = [a[own, 2 * len(STEPS) :] for a in (traced.first, traced.second)]
        made.append(
            checks.evaluation_noise(found.where, (halves[0], halves[1]), CHECKED_POINTS // 2)
        )
    random = [
        s._replace(value=s.value / unit**2, rounding=s.rounding / unit**2)
        for s, ray in zip(settled, rays, strict=True)
        if ray.number is None
    ]
    probes = slice(len(rays), len(rays) + len(signs))
    size = sum(leaf.size for leaf in jax.tree.leaves(around.params))
    return [
        *made,
        checks.mean_curvature(
            around.at, random, traced.curvature[probes] / unit**2, traced.bend[probes] / unit, size
        ),
    ]


class _Ray(NamedTuple):
    """The set that a direction is of, None for a random one, and how far it is followed."""

    number: int | None
    radius: float


def _places(radius: float) -> np.ndarray:
    """Coordinates of a ray: both sides of each step, then an even grid with the point itself."""
    steps = STEPS * radius
    return np.concatenate([-steps, steps, np.linspace(-radius, radius, CHECKED_POINTS)])


def _settled(risk: np.ndarray, radius: float) -> checks.Settled:
    count = len(STEPS)
    middle = float(risk[2 * count + CHECKED_POINTS // 2])
    return checks.second_difference(STEPS * radius, risk[:count], middle, risk[count : 2 * count])


def _probes(around: Surroundings, norm: float) -> tuple[list[PyTree], list[PyTree]]:
    """Directions of one norm: uniform on the sphere, and of independent signs."""
    count = MEAN_CURVATURE_PROBES
    key = seed_key(around.run.seed, "mean curvature")
    found: tuple[list[PyTree], list[PyTree]] = ([], [])
    for kind, draw in zip(found, (jax.random.normal, jax.random.rademacher), strict=True):
        for probe in jax.random.split(jax.random.fold_in(key, len(found[0])), count):
            tree = optax.tree.random_like(probe, around.params, draw)
            length = norm / optax.tree.norm(tree)
            kind.append(jax.tree.map(lambda leaf, length=length: leaf * length, tree))
    return found
