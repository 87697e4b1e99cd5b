"""Collects the lines of a set over all runs of a loss."""

from typing import NamedTuple

import numpy as np

from landscape.report import statistics, words
from landscape.report.figures.view import Array, View, failed_checks, finite_values
from landscape.report.results import StoredRun
from landscape.report.sets import StoredSet

# Radii that differ by less than this share count as equal.
_RADIUS_TOLERANCE = 1e-5


class Bundle(NamedTuple):
    """All lines of a loss: coordinates (points,) and values (directions x seeds, points).

    `directions` is their number per run and `radius` the median radius. In `unfound` runs the risk
    never rose to the requested level, so that their radius is a default.
    """

    coordinates: Array
    values: Array
    directions: int
    runs: int
    radius: float
    unfound: int


class Distance(NamedTuple):
    """The distance axis of a set: whether distances are relative, its label, and an explanation."""

    relative: bool
    label: str
    sentence: str


class LinesByLoss(NamedTuple):
    """The bundles of the losses that have lines of a set, and their distance axis.

    `direction` describes what the lines run along: `8 random directions`, `the eigenvector`;
    `average` what a mean is taken over: `over directions and seeds`, empty for single lines;
    `failed` are the names of the failed checks of the set by loss.
    """

    bundles: dict[str, Bundle]
    distance: Distance
    direction: str
    average: str
    failed: dict[str, list[str]]


def distance(view: View, line_set: StoredSet, point: str) -> Distance:
    """Returns the axis: in units of the direction, or of the radius if the runs' radii differ."""
    unit, sentence = line_set.axes[0].unit(point)
    radii = [
        float(run.slices[line_set.array(point, "radius")])
        for runs in view.runs.values()
        for run in runs
        if line_set.array(point, "radius_found") in run.slices
        and line_set.array(point, "radius") in run.slices
    ]
    radii = [radius for radius in radii if np.isfinite(radius) and radius > 0]
    if not radii or max(radii) - min(radii) <= _RADIUS_TOLERANCE * max(radii):
        return Distance(False, f"distance ({unit})", sentence)
    radius_median = words.scientific(statistics.median(radii))
    separator = "; " if unit.startswith("1 =") else " "
    radius_text = f"{radius_median}{separator}{unit}"
    return Distance(
        True,
        f"distance / radius found (median {radius_text})",
        f"The lines of each run end at the radius at which the risk reaches the requested level "
        f"(median {radius_text}); distances are relative to that radius. {sentence}",
    )


def bundle(
    runs: tuple[StoredRun, ...], line_set: StoredSet, point: str, name: str, relative: bool = False
) -> Bundle | None:
    """Returns the lines of all runs with the grid of the first one; None if no run has lines."""
    first: Array | None = None
    rows, radii, unfound = [], [], 0
    for run in runs:
        coordinates = run.slices.get(line_set.array(point, "coordinates"))
        values = run.slices.get(line_set.array(point, name))
        if coordinates is None or values is None or coordinates.ndim != 1:
            continue
        if values.ndim != 2 or values.shape[1] != len(coordinates) or not len(coordinates):
            continue
        x = coordinates.astype(np.float64)
        x = x / (np.abs(x).max() or 1.0) if relative else x
        first = x if first is None else first
        if len(first) != len(x) or not np.allclose(first, x, rtol=0, atol=1e-6 * np.ptp(first)):
            continue
        rows.append(values.astype(np.float64))
        radii.append(float(run.slices.get(line_set.array(point, "radius"), np.nan)))
        unfound += not bool(run.slices.get(line_set.array(point, "radius_found"), True))
    if first is None or not rows:
        return None
    all_lines = np.concatenate(rows)
    return Bundle(first, all_lines, len(rows[0]), len(rows), statistics.median(radii), unfound)


def lines_by_loss(view: View, line_set: StoredSet, point: str, name: str) -> LinesByLoss | None:
    """Returns the lines of an array of the set, None if no loss has any."""
    axis = distance(view, line_set, point)
    bundle_of = {
        loss: lines
        for loss, runs in view.runs.items()
        if (lines := bundle(runs, line_set, point, name, axis.relative)) is not None
    }
    if not bundle_of:
        return None
    directions = max(lines.directions for lines in bundle_of.values())
    several_seeds = max(lines.runs for lines in bundle_of.values()) > 1
    direction = line_set.axes[0].phrase(point)
    if line_set.axes[0].random and directions > 1:
        direction = f"{directions} random directions"
    averaged = ["directions"] * (directions > 1) + ["seeds"] * several_seeds
    average = f"over {' and '.join(averaged)}" if averaged else ""
    failed = failed_checks(view, bundle_of, [line_set.where(point)])
    return LinesByLoss(bundle_of, axis, direction, average, failed)


def summary(values: Array) -> Array:
    """Returns mean, 10th and 90th percentile, minimum and maximum per point; skips NaN and inf."""
    finite = finite_values(values)
    low, high = finite.quantile(0.1), finite.quantile(0.9)
    return np.array([finite.mean(), low, high, finite.min(), finite.max()])
