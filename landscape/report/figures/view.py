"""What the figures draw: the runs of each loss or point of a sweep, aligned step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from landscape.report import words
from landscape.report.comparison import shown_points
from landscape.report.figures.style import Style, styles
from landscape.report.results import Results, StoredRun
from landscape.report.sets import Set, sets

Array = NDArray[np.float64]


class Picture(NamedTuple):
    """A figure with what stands around it: a title, how to read it, and words in its place.

    `section` is the part of the page that it belongs to.
    """

    name: str
    title: str
    caption: str
    alternative: str
    figure: Figure
    section: str = "training"


@dataclass(frozen=True)
class View:
    """The runs to draw, by loss, how each loss looks, and which sets of slices there are."""

    runs: Mapping[str, tuple[StoredRun, ...]]
    styles: Mapping[str, Style]
    metric: str
    higher_is_better: bool
    target: float
    seeds: int
    lines: tuple[Set, ...] = ()
    planes: tuple[Set, ...] = ()

    @property
    def label(self) -> str:
        return words.metric_label(self.metric)

    @property
    def shown(self) -> list[Style]:
        return [self.styles[loss] for loss in self.runs]


def view(results: Results, table: pd.DataFrame) -> View:
    """Losses and points of the sweep in the config's order, as `shown_points` chooses them."""
    chosen = set(shown_points(table)["name"])
    groups = zip(table["name"], results.groups.values(), strict=True)
    runs = {
        name: tuple(run for run in group if run.counted)
        for name, group in groups
        if name in chosen and any(run.counted for run in group)
    }
    everything = [run for group in runs.values() for run in group]
    return View(
        runs=runs,
        styles=styles([name for name in table["name"] if name in chosen]),
        metric=results.metric,
        higher_is_better=results.higher_is_better,
        target=float(table["target"].iloc[0]),
        seeds=max(len(group) for group in runs.values()),
        lines=sets(everything, "lines"),
        planes=sets(everything, "planes"),
    )


def typical(view: View, having: Mapping[str, Sequence[StoredRun]]) -> dict[str, StoredRun]:
    """One run a loss, all of one seed where there is one that all losses have.

    Losses of one seed share their directions and their start, so that they can be compared; it is
    the seed whose runs rank closest to the median of their losses.
    """
    having = {loss: list(runs) for loss, runs in having.items() if runs}
    if not having:
        return {}
    shared = set.intersection(*({run.seed for run in runs} for runs in having.values()))
    distance: dict[int, float] = {seed: 0.0 for seed in shared if seed is not None}
    ranked = {
        loss: sorted(runs, key=lambda run: (run.outcome(view.metric), run.seed or 0))
        for loss, runs in having.items()
    }
    for runs in ranked.values():
        for rank, run in enumerate(runs):
            if run.seed in distance:
                distance[run.seed] += abs(rank - (len(runs) - 1) / 2)
    seed = min(distance, key=lambda seed: (distance[seed], seed), default=None)
    return {
        loss: next((run for run in runs if run.seed == seed), runs[(len(runs) - 1) // 2])
        for loss, runs in ranked.items()
    }


def series(runs: Sequence[StoredRun], name: str, metric: bool = False) -> tuple[Array, Array]:
    """Steps and the values of a column, shape (runs, steps), on the grid of the longest run.

    A run that diverged has NaN from then on; a task metric (`metric`) falls back to its value
    before training instead, as it does in the comparison.
    """
    longest = max(runs, key=lambda run: (run.status == "done", len(run.trace)))
    steps = longest.column("step")
    rows = []
    for run in runs:
        values = pd.Series(run.column(name), index=run.column("step")).reindex(steps)
        if run.status == "diverged":
            after = steps >= run.diverged_step
            values[after] = run.first(name) if metric else np.nan
        rows.append(values.to_numpy())
    return steps, np.array(rows)


def spread(values: Array) -> tuple[Array, Array, Array]:
    """Median, minimum and maximum over runs where a value is finite, else NaN."""
    finite = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(finite).all(axis=0)
    result = np.full((3, values.shape[1]), np.nan)
    if known.any():
        some = finite[:, known]
        result[:, known] = np.nanmedian(some, 0), np.nanmin(some, 0), np.nanmax(some, 0)
    return result[0], result[1], result[2]


def ends(runs: Sequence[StoredRun], name: str) -> list[tuple[float, float]]:
    """The last finite step and value of each run that diverged."""
    marks = []
    for run in runs:
        values = run.column(name)
        finite = np.flatnonzero(np.isfinite(values))
        if run.status == "diverged" and len(finite):
            marks.append((float(run.column("step")[finite[-1]]), float(values[finite[-1]])))
    return marks
