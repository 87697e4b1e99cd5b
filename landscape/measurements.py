"""What is measured around the points of one run: its slices, its curvature, and their checks."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from landscape import catalog, checks, curvature, instruments, slices
from landscape.config import COMPUTED, Direction, Lines, Planes, Run
from landscape.errors import UserError
from landscape.parts.directions import Point
from landscape.program import Program, seed_key
from landscape.radius import find_radius
from landscape.rays import STEPS
from landscape.risk import Examples

PyTree = Any

# Up to so many parameters the whole Hessian is computed, to check Lanczos.
DENSE = 600
# Vectors that estimate the mean curvature, once by second differences and once by d'Hd.
MEAN_CURVATURE_PROBES = 12
# Directions of each set that are followed in float64, and points of each on which two halves of the
# evaluation set are compared.
CHECKED, CHECKED_POINTS = 3, 9


class Training(NamedTuple):
    """What training left: both ends of the path, its last step, points between, and the trace.

    `checkpoints` has a leading axis, `checkpoint_steps` says after how many updates each was taken.
    """

    initial: PyTree
    trained: PyTree
    update: PyTree
    checkpoints: PyTree
    checkpoint_steps: np.ndarray
    trace: dict[str, np.ndarray]
    diverged_step: int | None

    def risk(self, at: str) -> float:
        """The recorded risk on the evaluation set at an end of the path."""
        return float(self.trace["risk/evaluation"][-1 if at == "trained" else 0])

    @property
    def drop(self) -> float:
        """How far training brought the risk down: the unit of every rise."""
        return self.risk("initial") - self.risk("trained")


class Surroundings:
    """A point of a run and what is known around it, each computed once and when it is asked for."""

    def __init__(
        self, run: Run, program: Program, training: Training, examples: Examples, at: str
    ) -> None:
        self.run, self.program, self.examples, self.at = run, program, examples, at
        self.training = training
        self.params = getattr(training, at)

    @functools.cached_property
    def gradient(self) -> PyTree:
        return self.program.instruments.gradient(self.params, self.examples)

    def extremes(self, operator: str) -> curvature.Extremes:
        """Extreme eigenpairs of an operator at the point."""
        return self._extremes(operator)

    @functools.cached_property
    def _extremes(self) -> Callable[[str], curvature.Extremes]:
        def find(operator: str) -> curvature.Extremes:
            key = seed_key(self.run.seed, "lanczos")
            spectrum = self.program.instruments.spectra[operator]
            return spectrum.extremes(key, self.params, self.examples)

        return functools.cache(find)

    @functools.cached_property
    def point(self) -> Point:
        """The point as directions see it."""
        training, trained = self.training, self.at == "trained"
        return Point(
            params=self.params,
            filter_axes=self.program.model.filter_axes(self.params),
            gradient=lambda: self.gradient,
            eigenvector=self._eigenvector,
            update=training.update if trained else None,
            path=training.checkpoints if len(training.checkpoint_steps) else None,
            target=training.initial if trained else training.trained,
        )

    def _eigenvector(self, end: str, index: int) -> PyTree:
        found = self.extremes("hessian")
        values = found.largest if end == "largest" else found.smallest
        if index > len(values):
            raise UserError(
                f"eigenvector {index} was asked for, but only {len(values)} can be told apart",
                hint=f"use an `index` of at most {len(values)}",
            )
        vectors = found.largest_vectors if end == "largest" else found.smallest_vectors
        return jax.tree.map(lambda leaf: leaf[index - 1], vectors)

    def along(self, directions: tuple[PyTree, ...], coordinates: np.ndarray) -> dict[str, Any]:
        """Risk and metrics at `params + sum(c_i * d_i)`."""
        return self.program.instruments.slice(
            self.params, directions, jnp.asarray(coordinates), self.examples
        )


class Slice(NamedTuple):
    """A set of lines or planes: its arrays by name, its directions, and how far it goes."""

    where: str
    arrays: dict[str, Any]
    directions: list[PyTree]
    radius: float


def slice_sets(around: Surroundings) -> Iterator[Slice]:
    """Every set of lines and planes of the run at one point, in the config's order."""
    asked = around.run.slices
    if asked is None:
        return
    for label, lines in zip(asked.line_labels(), asked.lines or (), strict=True):
        yield _lines(around, label, lines, lines.direction or asked.direction)
    for label, planes in zip(asked.plane_labels(), asked.planes or (), strict=True):
        yield _planes(around, label, planes, planes.axes or (asked.direction,) * 2)


def center(found: Slice) -> dict[str, np.ndarray]:
    """What was measured at coordinate zero, which every line and plane has in its middle."""
    measured = {n: a for n, a in found.arrays.items() if n not in _ABOUT and a.ndim > 1}
    return {
        name: values[0][tuple(size // 2 for size in values.shape[1:])]
        for name, values in measured.items()
        if not name.startswith("path/")
    }


# Arrays of a set that are not measured at its points.
_ABOUT = {"coordinates", "x", "y", "keys", "cosine", "norm", "radius", "radius_found", "explained"}
_ABOUT |= {"slope", "curvature"}


def _lines(around: Surroundings, label: str, asked: Lines, direction: Direction) -> Slice:
    count = asked.draws(direction)
    draw = catalog.build("directions", direction, folder=around.run.folder)()
    keys = _keys(around.run.seed, "line directions", count)
    directions = [draw(key, around.point) for key in keys]
    radius, found = _radius(around, asked, directions)
    coordinates = slices.axis(asked.points, radius)
    measured = [around.along((d,), coordinates[:, None]) for d in directions]
    arrays = {"coordinates": coordinates} | _stacked(measured)
    if direction.name not in COMPUTED:
        arrays["keys"] = np.asarray(jax.random.key_data(keys))
    arrays |= {"cosine": np.asarray(slices.cosines(directions)), "norm": _norms(directions)}
    return Slice(f"{around.at}/lines/{label}", arrays | found, directions, radius)


def _planes(around: Surroundings, label: str, asked: Planes, axes: tuple[Direction, ...]) -> Slice:
    folder = around.run.folder
    makes = [catalog.build("directions", axis, folder=folder)() for axis in axes]
    draws = 1 if all(axis.name in COMPUTED for axis in axes) else asked.draws or 1
    keys = _keys(around.run.seed, "plane directions", 2 * draws)
    pairs = [
        _pair(around.point, axes, makes, keys[2 * draw : 2 * draw + 2]) for draw in range(draws)
    ]
    directions = [direction for pair in pairs for direction in pair]
    radius, found = _radius(around, asked, directions)
    grid = slices.grid(asked.points, radius)
    arrays: dict[str, Any] = {"x": grid.x, "y": grid.y}
    measured = [around.along(pair, grid.points) for pair in pairs]
    if asked.eigenvalues is not None:
        bend = around.program.instruments.eigenvalues(asked.eigenvalues)
        points = jnp.asarray(grid.points)
        extra = [bend(around.params, pair, points, around.examples) for pair in pairs]
        measured = [m | e for m, e in zip(measured, extra, strict=True)]
    arrays |= {
        name: values.reshape(draws, *grid.shape) for name, values in _stacked(measured).items()
    }
    if any(axis.name not in COMPUTED for axis in axes):
        arrays["keys"] = np.asarray(jax.random.key_data(keys)).reshape(draws, 2, -1)
    arrays["cosine"] = np.stack([slices.cosine(*pair) for pair in pairs])
    arrays["norm"] = _norms(directions).reshape(draws, 2)
    if any(axis.name == "trajectory" for axis in axes) and around.at == "trained":
        arrays |= _path(around, axes, pairs[0])
    return Slice(f"{around.at}/planes/{label}", arrays | found, directions, radius)


def _pair(
    point: Point, axes: tuple[Direction, ...], makes: list[Any], keys: jax.Array
) -> tuple[PyTree, PyTree]:
    """Both directions of a plane; what is drawn comes at right angles to what was known before."""
    order = (1, 0) if axes[1].name in COMPUTED and axes[0].name not in COMPUTED else (0, 1)
    first = makes[order[0]](keys[order[0]], point)
    second = makes[order[1]](keys[order[1]], point._replace(beside=first))
    return (first, second) if order == (0, 1) else (second, first)


def _radius(
    around: Surroundings, asked: Lines | Planes, directions: list[PyTree]
) -> tuple[float, dict[str, np.ndarray]]:
    """The distance to walk, and what is stored of how it was found."""
    if asked.radius != "auto":
        return asked.radius, {"radius": np.array(asked.radius, np.float32)}

    def along(coordinates: np.ndarray) -> np.ndarray:
        return np.stack([around.along((d,), coordinates[:, None])["risk"] for d in directions])

    middle = around.training.risk(around.at)
    radius, found = find_radius(along, middle, asked.rise * around.training.drop)
    radius = float(np.float32(radius))
    return radius, {"radius": np.array(radius, np.float32), "radius_found": np.array(found)}


def _path(
    around: Surroundings, axes: tuple[Direction, ...], pair: tuple[PyTree, ...]
) -> dict[str, np.ndarray]:
    """Where the checkpoints of training lie on a plane, and the risk there and at themselves."""
    path = around.training.checkpoints
    away = jax.tree.map(lambda p, at: p - at[None], path, around.params)
    count = len(around.training.checkpoint_steps)
    flat = np.asarray(_flat(away, count), np.float64)
    basis = np.concatenate([np.asarray(_flat(d, 1), np.float64) for d in pair])
    places, *_ = np.linalg.lstsq(basis.T, flat.T, rcond=None)
    off = np.linalg.norm(flat - places.T @ basis, axis=1)
    coordinates = places.T.astype(np.float32)
    projected = around.along(pair, coordinates)["risk"]
    true = instruments.path_risks(around.program.instruments, path, around.examples)
    explained = _explained(flat, basis)
    named = np.array([axis.name == "trajectory" for axis in axes])
    return {
        "path/step": around.training.checkpoint_steps,
        "path/x": coordinates[:, 0],
        "path/y": coordinates[:, 1],
        "path/risk": np.asarray(true),
        "path/projected_risk": np.asarray(projected),
        "path/distance": off.astype(np.float32),
        "explained": np.where(named, explained, np.nan).astype(np.float32),
    }


def _explained(path: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The share of the squared distances of a path that lies along each of two directions."""
    lengths, total = np.sum(basis**2, axis=1), np.sum(path**2)
    along = np.sum((path @ basis.T) ** 2, axis=0)
    return np.divide(along, lengths * total, out=np.full(2, np.nan), where=lengths * total > 0)


def _flat(tree: PyTree, count: int) -> jax.Array:
    return jnp.concatenate([leaf.reshape(count, -1) for leaf in jax.tree.leaves(tree)], axis=1)


def _norms(directions: list[PyTree]) -> np.ndarray:
    return np.stack([np.asarray(optax.tree.norm(d)) for d in directions])


def _keys(seed: int, purpose: str, count: int) -> jax.Array:
    """The keys of directions 0 to count - 1: the same draws for every loss of one seed."""
    key = seed_key(seed, purpose)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(count))


def _stacked(found: list[dict[str, jax.Array]]) -> dict[str, np.ndarray]:
    return {name: np.stack([f[name] for f in found]) for name in found[0]}


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


def curvature_of(
    around: Surroundings, place: str, step: int, gauss_newton: str | None
) -> tuple[dict[str, Any], list[checks.Check]]:
    """One point of curvature.json; `gauss_newton` says why that operator is left out, if it is."""
    asked = around.run.curvature
    assert asked is not None
    operators: dict[str, Any] = {}
    made = []
    for operator in asked.operators:
        if operator == "gauss_newton" and gauss_newton is not None:
            operators[operator] = {"reason": gauss_newton}
            continue
        operators[operator] = _operator(around, operator)
        if place != "checkpoint" and (check := _against_dense(around, operator)):
            made.append(check)
    drop = around.training.drop
    described = {
        "place": place,
        "step": step,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(around.params)),
        "squared_norm": instruments.squared_norm(around.params),
        "risk": float(around.along((around.params,), np.zeros((1, 1), np.float32))["risk"][0]),
        "drop": drop if drop > 0 else None,
        "operators": operators,
    }
    return described, made


def _operator(around: Surroundings, operator: str) -> dict[str, Any]:
    asked, spectrum = around.run.curvature, around.program.instruments.spectra[operator]
    assert asked is not None
    seed = around.run.seed
    at = (around.params, around.examples)
    samples = spectrum.traces(seed_key(seed, "trace probes"), *at)
    nodes, weights = spectrum.quadrature(seed_key(seed, "density probes"), *at)
    found = around.extremes(operator)
    return curvature.describe(
        _first(found, asked.eigenvalues), samples, nodes, weights, iterations=asked.iterations
    )


def _first(found: curvature.Extremes, count: int) -> curvature.Extremes:
    """As many eigenvalues as were asked for, where a direction needed more."""
    return jax.tree.map(lambda leaf: leaf[:count], found)


def _against_dense(around: Surroundings, operator: str) -> checks.Check | None:
    size = sum(leaf.size for leaf in jax.tree.leaves(around.params))
    if size > DENSE:
        return None
    spectrum = around.program.instruments.spectra[operator]
    matrix = np.asarray(spectrum.dense(around.params, around.examples), np.float64)
    exact = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    found = around.extremes(operator)
    ends = [float(found.largest[0]), float(found.smallest[0])]
    return checks.lanczos(f"{around.at}/{operator}", np.array(ends), exact[[-1, 0]])
