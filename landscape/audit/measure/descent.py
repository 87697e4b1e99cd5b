"""Descends from several predictions at once, to see where training leads them."""

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey, norms

Array = np.ndarray
ROUNDS = 60
LENGTHS = 2.0 ** np.arange(4, -12, -1)  # of the steps that are tried in each round


def descend(survey: Survey, target: Target, points: Array, lowest: float) -> tuple[Array, Array]:
    """Returns where descent from `points`, `(n, *shape)`, gets to, and the values there.

    Each round takes the best of several steps along the gradient, within the bounds of the domain.
    Points whose value is at most `lowest` stay.
    """
    domain, count = survey.subject.domain, len(points)
    axes = (1,) * (points.ndim - 1)
    values, slopes = survey.probe.gradients(points, target)
    for _ in range(ROUNDS):
        if np.all(values <= lowest):
            break
        units = slopes / np.maximum(norms(slopes), 1e-300).reshape(-1, *axes)
        tries = points - LENGTHS.reshape(-1, 1, *axes) * units
        tries = np.clip(tries, domain.low, domain.high)
        costs, gradients = survey.probe.gradients(tries.reshape(-1, *points.shape[1:]), target)
        costs = np.where(np.isfinite(costs), costs, np.inf).reshape(len(LENGTHS), count)
        best, rows = np.argmin(costs, axis=0), np.arange(count)
        better = (costs[best, rows] < values) & (values > lowest)
        moved = gradients.reshape(tries.shape)[best, rows]
        points = np.where(better.reshape(-1, *axes), tries[best, rows], points)
        slopes = np.where(better.reshape(-1, *axes), moved, slopes)
        values = np.where(better, costs[best, rows], values)
        if not better.any():
            break
    return points, values
