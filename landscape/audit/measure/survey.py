"""Samples of predictions and paths from right to wrong: what all judgments of an audit look at."""

from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np

from landscape.audit.findings import Where
from landscape.audit.measure import domains
from landscape.audit.measure.crossings import Scale, typical
from landscape.audit.measure.domains import Target
from landscape.audit.measure.probes import CHUNK, Derivatives, Probe
from landscape.audit.measure.subject import Subject
from landscape.audit.static.equations import equations
from landscape.audit.static.reader import Reading, Site
from landscape.audit.static.source import locate

Array = np.ndarray
T = TypeVar("T")


class Sample(NamedTuple):
    """Random predictions for one target and what the function does there, in float64.

    `directions` are random unit vectors, along which the derivatives are; `wrong` says which
    predictions are mispredictions; `wide` whether they are from the wider range.
    """

    target: Target
    points: Array
    directions: Array
    derivatives: Derivatives
    wrong: Array
    wide: bool

    @property
    def norms(self) -> Array:
        """Euclidean norms of the gradients."""
        return norms(self.derivatives.gradient)


class Path(NamedTuple):
    """From the right prediction to the most wrong one: `steps` are positive where it is wrong.

    For regression both signs are wrong; value and gradient in float64, then as float32 gives them.
    """

    target: Target
    base: Array
    direction: Array
    steps: Array
    points: Array
    value: Array
    gradient: Array
    value32: Array
    gradient32: Array

    @property
    def norms(self) -> Array:
        return norms(self.gradient)


class Survey:
    """Measurements of a subject, each made on first use and kept.

    `reading` and `slopes` are what the rules say of the programs of the value and of its gradient.
    A measurement that builds on others is a function of the survey, decorated with `once`.
    """

    def __init__(self, subject: Subject, reading: Reading, slopes: Reading, seed: int):
        self.subject = subject
        self.reading = reading
        self.slopes = slopes
        self.seed = seed
        self.source_file = subject.place.file if subject.place else None
        open_sites = [site for site in reading.sites if site.status == "open"]
        self.probe = Probe(subject, open_sites)
        self.results: dict[Callable, Any] = {}

    @cached_property
    def samples(self) -> list[Sample]:
        """For each target one sample of plausible predictions and one of wider ones."""
        samples = []
        for number, target in enumerate(self.subject.targets):
            rng = np.random.default_rng([self.seed, number])
            for wide in (False, True) if self.subject.domain.name == "real" else (False,):
                draw = self.subject.domain.wide if wide else self.subject.domain.sample
                samples.append(self._sample(draw(rng, CHUNK, target), target, rng, wide))
        return samples

    def _sample(
        self, points: Array, target: Target, rng: np.random.Generator, wide: bool
    ) -> Sample:
        subject = self.subject
        directions = rng.normal(size=points.shape)
        directions /= norms(directions).reshape(-1, *(1,) * (points.ndim - 1))
        wrong = domains.wrong(subject.task, subject.form, subject.domain.name, points, target)
        derivatives = self.probe.derivatives(points, directions, target)
        return Sample(target, points, directions, derivatives, wrong, wide)

    @property
    def plausible(self) -> list[Sample]:
        return [sample for sample in self.samples if not sample.wide]

    @cached_property
    def scale(self) -> Scale:
        """Typical magnitudes over all plausible samples."""
        joined = [np.concatenate([s.derivatives[i] for s in self.plausible]) for i in range(5)]
        return typical(Derivatives(*joined))

    @cached_property
    def steepest(self) -> float:
        """The largest gradient among plausible predictions; 0 where there is none."""
        return max(self.steepest_for(target.name) for target in self.subject.targets)

    def steepest_for(self, name: str) -> float:
        """The largest gradient among plausible predictions for one target."""
        every = np.concatenate([s.norms for s in self.plausible if s.target.name == name])
        every = every[np.isfinite(every)]
        return float(every.max()) if len(every) else 0.0

    @cached_property
    def paths(self) -> list[Path]:
        """One path for each target."""
        return [self.path(target) for target in self.subject.targets]

    def path(self, target: Target) -> Path:
        """The path of a target, measured."""
        base, direction, steps = route(self.subject, target)
        points = along(base, direction, steps)
        value, gradient = self.probe.gradients(points, target)
        value32, gradient32 = self.probe.native(points, target, np.float32)
        return Path(target, base, direction, steps, points, value, gradient, value32, gradient32)

    @cached_property
    def coverage(self) -> float:
        """The mean share of components that get a gradient, among predictions that get any."""
        shares: list[float] = []
        for sample in self.plausible:
            reached = (sample.derivatives.gradient != 0).reshape(len(sample.points), -1)
            shares += list(reached[reached.any(1)].mean(1))
        return float(np.mean(shares)) if shares else 0.0

    @cached_property
    def gradient_is_zero(self) -> bool:
        """Whether no sampled prediction and no point of a path has any gradient."""
        gradients = [sample.derivatives.gradient for sample in self.samples]
        gradients += [path.gradient for path in self.paths]
        return not any(np.any(gradient != 0) for gradient in gradients)

    def place_of(self, site: Site) -> Where | None:
        """The place of a suspect in the user's source."""
        return locate(site.equation, site.calls, self.source_file)

    def place_of_operation(self, names: Sequence[str], *, last: bool = False) -> Where | None:
        """The place of the first (or last) operation of these names in the user's source."""
        where = None
        for _, eqn, calls in equations(self.subject.value):
            if eqn.primitive.name in names:
                where = locate(eqn, calls, self.source_file)
                if where is not None and not last:
                    return where
        return where

    def operations(self) -> set[str]:
        """The names of all operations of the program."""
        return {eqn.primitive.name for _, eqn, _ in equations(self.subject.value)}

    @property
    def definition(self) -> Where | None:
        """The `def` line of the function."""
        place = self.subject.place
        if place is None or place.line is None:
            return None
        return Where(place.file, place.line, (place.text or "").strip())


def once(measure: Callable[[Survey], T]) -> Callable[[Survey], T]:
    """Decorates a measurement of a survey: it is made on first use and kept in the survey."""

    @wraps(measure)
    def measured(survey: Survey) -> T:
        if measure not in survey.results:
            survey.results[measure] = measure(survey)
        result: T = survey.results[measure]
        return result

    return measured


def norms(rows: Array) -> Array:
    """Euclidean norm of each row, whatever its shape."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(np.square(rows.reshape(len(rows), -1)).sum(1))


def along(base: Array, direction: Array, steps: Array) -> Array:
    """The points `base + step * direction`."""
    return base + steps.reshape(-1, *(1,) * base.ndim) * direction


def route(subject: Subject, target: Target) -> tuple[Array, Array, Array]:
    """Base, direction and steps of a target's path.

    Over the reals both ways to the far end; on bounded domains from the target to its opposite.
    """
    shape, name = subject.shape, subject.domain.name
    near = [1e-3, 1e-2, 0.05, 0.1]
    far = np.concatenate([near, np.linspace(0.25, 40, 160), np.logspace(np.log10(45), 4, 40)])
    if name == "real":
        start = target.value if subject.task == "regression" else np.zeros(shape)
        direction = target.away if subject.task else np.ones(shape)
        return np.broadcast_to(start, shape), direction, np.concatenate([-far[::-1], [0.0], far])
    inside = np.unique(np.concatenate([np.linspace(0, 1, 129), np.logspace(-9, -2, 15)]))
    if name == "positive":
        start = target.value if subject.task == "regression" else np.zeros(shape)
        start = np.broadcast_to(start, shape)
        low = float(start.min())
        steps = np.unique(np.concatenate([-low * inside[::-1], far, 1e-6 * inside]))
        return start, np.ones(shape), steps
    if name == "simplex":
        return _simplex_route(subject, target, inside)
    right = _right(subject, target)
    return right, 1 - 2 * right, inside


def _right(subject: Subject, target: Target) -> Array:
    """The right prediction inside the unit cube."""
    if subject.task == "regression":
        return np.broadcast_to(np.clip(target.value, 0, 1), subject.shape)
    return (np.broadcast_to(target.away, subject.shape) < 0).astype(float)


def _simplex_route(subject: Subject, target: Target, inside: Array) -> tuple[Array, Array, Array]:
    if subject.task == "regression":
        right = np.broadcast_to(target.value, subject.shape)
    else:
        right = (np.broadcast_to(target.away, subject.shape) < 0).astype(float)
    other = np.roll(right, 1, axis=-1)
    return right, other - right, inside
