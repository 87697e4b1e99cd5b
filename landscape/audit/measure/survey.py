"""Samples of predictions, and paths from right to wrong ones, on which all codes are judged."""

from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from landscape.audit.measure import domains
from landscape.audit.measure.crossings import Scale, typical_scale
from landscape.audit.measure.domains import Target
from landscape.audit.measure.probes import CHUNK, Derivatives, Probe
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.walks import Line, along
from landscape.audit.static.equations import equations
from landscape.audit.static.reader import Reading, Site
from landscape.audit.static.source import locate
from landscape.storage.audit_records import Where

Array = np.ndarray
T = TypeVar("T")
START = 0.37  # of the path of a loss that states no right prediction


class Sample(NamedTuple):
    """Random predictions for a target, with value and derivatives of the function in float64.

    `directions` are the random unit vectors of the derivatives; `wrong` marks mispredictions;
    `wide`: the predictions are from the wider range.
    """

    target: Target
    points: Array
    directions: Array
    derivatives: Derivatives
    wrong: Array
    wide: bool

    @property
    def norms(self) -> Array:
        """The Euclidean norms of the gradients."""
        return norms(self.derivatives.gradient)


class Path(NamedTuple):
    """Predictions from the right one to the most wrong one, at the positive steps.

    For regression those at negative steps are wrong as well. `value` and `gradient` are in float64,
    `value32` and `gradient32` those that float32 gives.
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
        """The Euclidean norms of the gradients."""
        return norms(self.gradient)

    def points_at(self, steps: Array) -> Array:
        """Returns the points at other steps, `(n, *shape)`."""
        return along(self.base, self.direction, steps)


class Survey:
    """Measurements of a subject, each computed on first use and cached.

    `reading` and `slopes` are the readings of the programs of the value and of its gradient.
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
        """A sample of plausible predictions per target, and a wide one if the domain is real."""
        samples = []
        for number, target in enumerate(self.subject.targets):
            rng = np.random.default_rng([self.seed, number])
            for wide in (False, True) if self.subject.domain.name == "real" else (False,):
                draw = self.subject.domain.wide if wide else self.subject.domain.sample
                samples.append(self._sample(draw(rng, CHUNK, target), target, rng, wide))
        return samples

    def _sample(self, points: Array, target: Target, rng: Any, wide: bool) -> Sample:
        subject = self.subject
        directions = rng.normal(size=points.shape)
        directions /= norms(directions).reshape(-1, *(1,) * (points.ndim - 1))
        wrong = domains.wrong(subject.goal, subject.domain, points, target)
        derivatives = self.probe.derivatives(points, directions, target)
        return Sample(target, points, directions, derivatives, wrong, wide)

    @property
    def plausible(self) -> list[Sample]:
        """The samples of plausible predictions, one per target."""
        return [sample for sample in self.samples if not sample.wide]

    @cached_property
    def scale(self) -> Scale:
        """Typical magnitudes over all plausible samples."""
        joined = [np.concatenate([s.derivatives[i] for s in self.plausible]) for i in range(5)]
        return typical_scale(Derivatives(*joined))

    @cached_property
    def steepest(self) -> float:
        """The largest norm of the gradient at plausible predictions; 0 if none is finite."""
        return max(self.steepest_for(target.name) for target in self.subject.targets)

    def steepest_for(self, name: str) -> float:
        """Returns the largest norm of the gradient at plausible predictions for a target."""
        every = np.concatenate([s.norms for s in self.plausible if s.target.name == name])
        every = every[np.isfinite(every)]
        return float(every.max()) if len(every) else 0.0

    @cached_property
    def paths(self) -> list[Path]:
        """One path per target."""
        return [self.path_on(route(self.subject, target)) for target in self.subject.targets]

    def path_on(self, line: Line) -> Path:
        """Returns the values and gradients on a line."""
        points = line.points_at(line.steps)
        wide = self.probe.gradients(points, line.target)
        return Path(*line, points, *wide, *self.probe.native(points, line.target, np.float32))

    @property
    def judged_paths(self) -> list[Path]:
        """The paths on which a loss must lead to its target: not those of equal targets.

        A batch of equal targets leaves a ranking, or a statistic of the batch, nothing to learn.
        """
        is_batch = self.subject.kind == "loss" and self.subject.rows > 1
        return [
            path
            for path in self.paths
            if not (path.target.ignored or (is_batch and domains.is_degenerate(path.target)))
        ]

    @cached_property
    def coverage(self) -> float:
        """The mean share of components with a gradient, over predictions that have any."""
        shares: list[float] = []
        for sample in (s for s in self.plausible if not s.target.ignored):
            reached = (sample.derivatives.gradient != 0).reshape(len(sample.points), -1)
            shares += list(reached[reached.any(1)].mean(1))
        return float(np.mean(shares)) if shares else 0.0

    @cached_property
    def gradient_is_zero(self) -> bool:
        """Whether the gradient is zero at all points of the samples and the paths."""
        gradients = [sample.derivatives.gradient for sample in self.samples]
        gradients += [path.gradient for path in self.paths]
        return not any(np.any(gradient != 0) for gradient in gradients)

    @property
    def gradient_proved_zero(self) -> bool:
        """Whether the rules show the gradient's program to be zero for every input."""
        slope = self.slopes.outputs[1]
        return self.gradient_is_zero and not (slope.varies or slope.uses_target or any(slope.range))

    def place_of(self, site: Site) -> Where | None:
        """Returns the line of a suspect in the user's source."""
        return locate(site.equation, site.calls, self.source_file)

    def place_of_operation(self, names: Sequence[str], *, last: bool = False) -> Where | None:
        """Returns the line of the first (or last) operation of these names in the user's source."""
        where = None
        for _, eqn, calls in equations(self.subject.value):
            if eqn.primitive.name in names:
                where = locate(eqn, calls, self.source_file)
                if where is not None and not last:
                    return where
        return where

    def operations(self) -> set[str]:
        """Returns the names of all operations of the program."""
        return {eqn.primitive.name for _, eqn, _ in equations(self.subject.value)}

    @property
    def definition(self) -> Where | None:
        """The `def` line of the function."""
        place = self.subject.place
        if place is None or place.line is None:
            return None
        return Where(place.file, place.line, (place.text or "").strip())


def once(measure: Callable[[Survey], T]) -> Callable[[Survey], T]:
    """Decorates a measurement, so that each survey computes it once."""

    @wraps(measure)
    def measured(survey: Survey) -> T:
        if measure not in survey.results:
            survey.results[measure] = measure(survey)
        return cast(T, survey.results[measure])

    return measured


@once
def sure_paths(survey: Survey) -> list[Path]:
    """Returns paths to predictions that are sure of one wrong class, for several logits.

    The path of a target leads to all of its wrong classes together; these lead to the first and to
    the last class.
    """
    subject = survey.subject
    one_choice = subject.goal == "classes" and subject.size == subject.shape[-1]
    if not one_choice or subject.domain.name != "real":
        return []
    paths = []
    for target in subject.targets:
        if target.ignored:
            continue
        right = int(np.argmin(target.away))
        for wrong in {0, subject.shape[-1] - 1} - {right}:
            direction = np.zeros(subject.shape)
            direction[..., wrong] = 1.0
            line = route(subject, target)
            positive = line.steps[line.steps >= 0]
            paths.append(survey.path_on(line._replace(direction=direction, steps=positive)))
    return paths


@once
def component_paths(survey: Survey) -> list[Path]:
    """Returns paths on which one component differs more and more from the others.

    For functions, and losses that mix a batch of numbers, the first component, in both directions;
    for several logits `sure_paths`.
    """
    subject = survey.subject
    is_vector = subject.kind == "function" or (
        subject.rows > 1 and subject.goal in ("numbers", "order")
    )
    if not is_vector or subject.domain.name != "real" or subject.size == 1:
        return sure_paths(survey)
    direction = np.zeros(subject.shape)
    direction.flat[0] = 1.0
    lines = (route(subject, target) for target in subject.targets)
    return [survey.path_on(line._replace(direction=direction)) for line in lines]


def norms(rows: Array) -> Array:
    """Returns the Euclidean norm of each row of an array of any rank."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(np.square(rows.reshape(len(rows), -1)).sum(1))


def route(subject: Subject, target: Target) -> Line:
    """Returns the line of a target's path.

    On the reals both ways to the far end; on bounded domains from the target to its opposite.
    """
    shape, name = subject.shape, subject.domain.name
    inside = np.unique(np.concatenate([np.linspace(0, 1, 129), np.logspace(-9, -2, 15)]))
    if subject.domain.bounded:
        right, ends = _right(subject, target), subject.domain.low + subject.domain.high
        opposite = np.roll(right, 1, axis=-1) - right if name == "simplex" else ends - 2 * right
        return Line(target, right, opposite, inside)
    near = [1e-3, 1e-2, 0.05, 0.1]
    far = np.concatenate([near, np.linspace(0.25, 40, 160), np.logspace(np.log10(45), 4, 40)])
    start = np.broadcast_to(target.center if subject.goal == "numbers" else _start(subject), shape)
    if name == "real":
        direction = target.away if subject.task else np.ones(shape)
        return Line(target, start, direction, np.concatenate([-far[::-1], [0.0], far]))
    below = -float(start.min()) * inside[::-1]
    return Line(
        target, start, np.ones(shape), np.unique(np.concatenate([below, far, 1e-6 * inside]))
    )


def _right(subject: Subject, target: Target) -> Array:
    """Returns the right prediction on a bounded domain."""
    domain = subject.domain
    if subject.goal == "numbers":
        return np.broadcast_to(np.clip(target.center, domain.low, domain.high), subject.shape)
    right = np.broadcast_to(target.away, subject.shape) < 0
    return np.where(right, domain.high, domain.low)


def _start(subject: Subject) -> Array:
    """Returns where the path of a loss starts that states no right prediction: not at a fit."""
    start = START if subject.kind == "loss" and subject.goal == "free" else 0.0
    rows = np.arange(subject.size).reshape(subject.shape)
    return start * (1 + rows % 3)
