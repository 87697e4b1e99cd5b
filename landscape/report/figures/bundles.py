"""The lines of a set, of all runs of a loss together."""

from typing import NamedTuple

import numpy as np

from landscape.report import statistics, words
from landscape.report.figures.view import Array, View
from landscape.report.results import StoredRun
from landscape.report.sets import Set

# Radii that differ by less than this share are one radius.
_ALIKE = 1e-5


class Bundle(NamedTuple):
    """All lines of a loss: coordinates (points,) and values (directions x seeds, points).

    `directions` a run, `runs`, and the median of the radii; `unfound` runs whose risk never rose
    as far as was asked, so that theirs is a stand-in.
    """

    coordinates: Array
    values: Array
    directions: int
    runs: int
    radius: float
    unfound: int


class Distance(NamedTuple):
    """The axis of a set's lines: whether distances are relative, and its label."""

    relative: bool
    label: str
    sentence: str


def distance(view: View, lines: Set, at: str) -> Distance:
    """In units of the direction, or of the radius found where every run found its own."""
    unit, sentence = lines.directions[0].unit(at)
    radii = [
        float(run.slices[lines.array(at, "radius")])
        for runs in view.runs.values()
        for run in runs
        if lines.array(at, "radius_found") in run.slices and lines.array(at, "radius") in run.slices
    ]
    radii = [radius for radius in radii if np.isfinite(radius) and radius > 0]
    if not radii or max(radii) - min(radii) <= _ALIKE * max(radii):
        return Distance(False, f"distance ({unit})", sentence)
    middle = words.scientific(statistics.median(radii))
    joined = f"{middle}; {unit}" if unit.startswith("1 =") else f"{middle} {unit}"
    return Distance(
        True,
        f"distance / radius found (median {joined})",
        f"Each run was followed to a radius of its own (median {joined}), where the risk had risen "
        f"as far as was asked; lines are drawn over the distance in units of it. {sentence}",
    )


def bundle(
    runs: tuple[StoredRun, ...], lines: Set, at: str, name: str, relative: bool = False
) -> Bundle | None:
    """The lines of all runs that share the first run's grid, or None where there are none."""
    first: Array | None = None
    rows, radii, unfound = [], [], 0
    for run in runs:
        coordinates = run.slices.get(lines.array(at, "coordinates"))
        values = run.slices.get(lines.array(at, name))
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
        radii.append(float(run.slices.get(lines.array(at, "radius"), np.nan)))
        unfound += not bool(run.slices.get(lines.array(at, "radius_found"), True))
    if first is None or not rows:
        return None
    every = np.concatenate(rows)
    return Bundle(first, every, len(rows[0]), len(rows), statistics.median(radii), unfound)


def bundles(view: View, lines: Set, at: str, name: str, relative: bool) -> dict[str, Bundle]:
    """By loss, those that have any."""
    found = {loss: bundle(runs, lines, at, name, relative) for loss, runs in view.runs.items()}
    return {loss: lines for loss, lines in found.items() if lines is not None}


def summary(values: Array) -> Array:
    """Mean, 10th and 90th percentile, minimum and maximum of the finite values at each point."""
    finite = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(finite).all(axis=0)
    result = np.full((5, values.shape[1]), np.nan)
    if known.any():
        some = finite[:, known]
        low, high = np.nanpercentile(some, [10, 90], axis=0)
        result[:, known] = (np.nanmean(some, 0), low, high, np.nanmin(some, 0), np.nanmax(some, 0))
    return result


def along(lines: Set, at: str, found: dict[str, Bundle]) -> str:
    """`8 random directions`, `the eigenvector`: what the lines run along."""
    (direction,) = lines.directions
    count = max(bundle.directions for bundle in found.values())
    if direction.drawn:
        return f"{count} random directions" if count > 1 else "a random direction"
    return direction.spoken(at)


def over(found: dict[str, Bundle]) -> str:
    """What a mean is taken over: `over directions and seeds`; empty for single lines."""
    several = max(bundle.directions for bundle in found.values()) > 1
    seeds = max(bundle.runs for bundle in found.values()) > 1
    parts = [name for name, there in (("directions", several), ("seeds", seeds)) if there]
    return f"over {' and '.join(parts)}" if parts else ""
