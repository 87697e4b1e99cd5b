"""Pairs of predictions whose midpoint may refute convexity."""

import numpy as np

from landscape.audit.measure.quotients import is_trusted
from landscape.audit.measure.survey import Sample, Survey

Array = np.ndarray
RADII = (0.1, 0.3, 1.0, 3.0, 10.0)
OPPOSITE = 8  # pairs of opposite points per radius
MOST_COMPONENTS = 32  # that are moved alone, per radius
MIXED = 64  # pairs of samples
EVALUATIONS = 384  # of the gradient, for the curvature at points of one target
MOST_CURVED = 48  # components in which a curvature is taken at one point
DIFFERENCE = 1e-4  # step of its difference quotients, relative to the point
REACHES = (1e-3, 1e-2, 0.1, 1.0)  # distances of pairs along the lowest curvature, relative
FLAT = 1e-6  # an eigenvalue above this share of the largest, negative, is rounding


def close_pairs(survey: Survey, sample: Sample, rng: np.random.Generator) -> Array:
    """Returns pairs around the target, or 0, and pairs of samples, `(2, n, *shape)`.

    The former are opposite points at several radii, and pairs that differ in one component.
    """
    subject = survey.subject
    order = rng.permutation(len(sample.points))[:MIXED]
    groups = [np.stack([sample.points[order], np.roll(sample.points[order], 1, axis=0)])]
    if subject.domain.name == "real":
        center = _center(survey, sample)
        units = np.eye(subject.size)[rng.permutation(subject.size)[:MOST_COMPONENTS]]
        units = units.reshape(-1, *subject.shape)
        for radius in RADII:
            offsets = radius * np.concatenate([_directions(rng, OPPOSITE, subject.shape), units])
            groups += [np.stack([center - offsets, center + offsets])]
            near = center + radius * rng.normal(size=subject.shape)
            groups += [np.stack([near - radius * units, near + radius * units])]
    return np.concatenate(groups, axis=1)


def curved_pairs(survey: Survey, sample: Sample, rng: np.random.Generator) -> Array:
    """Returns pairs along the eigenvector of the lowest curvature at points, `(2, n, *shape)`.

    Empty if no curvature is negative, or the gradient is not that of the function.
    """
    subject = survey.subject
    if not is_trusted(survey):
        return np.zeros((2, 0, *subject.shape))
    count = min(subject.size, MOST_CURVED)
    points = _starts(survey, sample, rng, max(EVALUATIONS // (2 * count), 4))
    pairs = []
    components = [rng.permutation(subject.size)[:count] for _ in points]
    for point, (low, vector) in zip(
        points, _lowest_curvatures(survey, sample, points, components), strict=True
    ):
        if not low < 0:
            continue
        size = max(1.0, float(np.abs(point).max()))
        for reach in REACHES:
            ends = np.stack([point - reach * size * vector, point + reach * size * vector])
            if np.all((ends >= subject.domain.low) & (ends <= subject.domain.high)):
                pairs.append(ends)
    return np.stack(pairs, axis=1) if pairs else np.zeros((2, 0, *subject.shape))


def _lowest_curvatures(
    survey: Survey, sample: Sample, points: Array, components: list[Array]
) -> list[tuple[float, Array]]:
    """Returns the lowest eigenvalue, 0 if it is rounding, and its eigenvector at each point."""
    subject, count = survey.subject, len(components[0])
    units = np.zeros((len(points), count, subject.size))
    for i, chosen in enumerate(components):
        units[i, np.arange(count), chosen] = 1.0
    units = units.reshape(len(points), count, *subject.shape)
    if subject.domain.name == "simplex":
        units -= units.mean(-1, keepdims=True)
    sizes = np.maximum(1.0, np.abs(points).reshape(len(points), -1).max(1))
    moves = DIFFERENCE * sizes.reshape(-1, *(1,) * (units.ndim - 1)) * units
    ends = np.stack([points[:, None] - moves, points[:, None] + moves])
    slopes = survey.probe.gradients(ends.reshape(-1, *subject.shape), sample.target)[1]
    left, right = slopes.reshape(2, len(points), count, -1)
    results = []
    flat = units.reshape(len(points), count, -1)
    for i in range(len(points)):
        hessian = (right[i] - left[i]) / (2 * DIFFERENCE * sizes[i]) @ flat[i].T
        results.append(_lowest(hessian, flat[i], subject.shape))
    return results


def _lowest(hessian: Array, units: Array, shape: tuple[int, ...]) -> tuple[float, Array]:
    if not np.isfinite(hessian).all():
        return 0.0, np.zeros(shape)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    rounding = FLAT * np.abs(values).max()
    direction = vectors[:, 0] @ units
    length = np.linalg.norm(direction)
    if values[0] >= -rounding or length == 0:
        return 0.0, np.zeros(shape)
    return float(values[0]), (direction / length).reshape(shape)


def _starts(survey: Survey, sample: Sample, rng: np.random.Generator, count: int) -> Array:
    """Returns points at several radii around the center, and samples."""
    subject = survey.subject
    samples = sample.points[rng.permutation(len(sample.points))[:count]]
    if subject.domain.name != "real":
        return samples
    radii = np.resize(RADII, count - count // 3).reshape(-1, *(1,) * len(subject.shape))
    around = _center(survey, sample) + radii * _directions(rng, len(radii), subject.shape)
    return np.concatenate([around, samples[: count // 3]])


def _center(survey: Survey, sample: Sample) -> Array:
    """Returns the target of a regression, else 0."""
    is_regression = survey.subject.task == "regression"
    value = sample.target.value if is_regression else 0.0
    return np.broadcast_to(value, survey.subject.shape).astype(np.float64)


def _directions(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> Array:
    """Returns random unit vectors."""
    vectors = rng.normal(size=(count, *shape))
    lengths = np.sqrt(np.square(vectors).reshape(count, -1).sum(1))
    return vectors / lengths.reshape(-1, *(1,) * len(shape))
