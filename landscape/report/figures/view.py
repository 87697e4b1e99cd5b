"""The data behind the figures: the runs of each loss or sweep point, aligned by step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landscape.report import words
from landscape.report.check_results import failed
from landscape.report.comparison import shown_points
from landscape.report.comparison_row import Row
from landscape.report.figures.panel_layout import PanelFigure
from landscape.report.figures.style import Style, styles
from landscape.report.results import Results, StoredRun
from landscape.report.sets import PLACES, StoredSet, sets

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """A figure, laid out, with its file name, title, caption and alternative text.

    `section` is the section of the page that shows it.
    """

    name: str
    title: str
    caption: str
    alternative: str
    figure: PanelFigure
    section: str = "training"

    def __post_init__(self) -> None:
        self.figure.settle()


def joined(*sentences: str | Literal[False]) -> str:
    """Joins the sentences of a caption; empty ones and False are omitted."""
    return " ".join(sentence.strip() for sentence in sentences if sentence)


def file_at(stem: str, point: str) -> str:
    """Returns the file name of a figure at a point: the stem alone at the trained one."""
    return stem if point == "trained" else f"{stem}_{point}"


@dataclass(frozen=True)
class View:
    """The runs to draw and the style of each loss, and the sets of slices that the runs have.

    `target` is NaN if there is none, or if it differs between the rows. `row` is what a panel or a
    line stands for: a loss, or a look at a point that was trained elsewhere.
    """

    runs: Mapping[str, tuple[StoredRun, ...]]
    styles: Mapping[str, Style]
    metric: str
    higher_is_better: bool
    target: float
    seeds: int
    lines: tuple[StoredSet, ...] = ()
    planes: tuple[StoredSet, ...] = ()
    row: Literal["loss", "look"] = "loss"

    @property
    def rows(self) -> str:
        """The plural of `row`."""
        return "losses" if self.row == "loss" else "looks"

    def seed(self, run: StoredRun) -> int | None:
        """Returns the seed that a panel names; None for a look, whose label names it."""
        return run.seed if self.row == "loss" else None

    def selection(self, *, shares_directions: bool) -> str:
        """Returns the sentence of a caption on the runs that `representative_runs` selects."""
        if self.row == "look":
            shared = "Looks at parameters of the same shapes share the directions."
            return shared if shares_directions and len(self.runs) > 1 else ""
        shared = ", and share its directions" if shares_directions else ""
        return (
            f"All losses are shown at the same seed, whose runs rank closest to the median{shared}."
        )

    @property
    def label(self) -> str:
        return words.metric_label(self.metric)

    def title(self, quantity: str, slice_set: StoredSet, point: str) -> str:
        """Returns the title of a figure, with the label of the set if there are several."""
        sets_of_kind = self.lines if slice_set.kind == "lines" else self.planes
        suffix = f": {slice_set.label}" if len(sets_of_kind) > 1 else ""
        return f"{quantity} through {PLACES[point]}{suffix}"

    @property
    def drawn_styles(self) -> list[Style]:
        return [self.styles[loss] for loss in self.runs]


def make_view(results: Results, rows: Sequence[Row]) -> View:
    """Returns the view of the rows that `shown_points` selects, in the order of the config."""
    shown = {row.name for row in shown_points(rows)}
    selected = [row for row in rows if row.name in shown]
    targets = {row.target.value for row in selected if not np.isnan(row.target.value)}
    defined = all(not np.isnan(row.target.value) for row in selected)
    runs = {row.name: row.runs.counted for row in selected if row.runs.counted}
    all_runs = [run for group in runs.values() for run in group]
    return View(
        runs=runs,
        styles=styles([row.name for row in selected]),
        metric=results.metric,
        higher_is_better=results.higher_is_better,
        target=targets.pop() if defined and len(targets) == 1 else np.nan,
        seeds=max(len(group) for group in runs.values()),
        lines=sets(all_runs, "lines"),
        planes=sets(all_runs, "planes"),
        row="look" if results.has_looks else "loss",
    )


def representative_runs(
    view: View, candidates: Mapping[str, Sequence[StoredRun]]
) -> dict[str, StoredRun]:
    """Returns one run per loss, all of the same seed if the losses have one in common.

    Losses of one seed share directions and initial parameters, so that they can be compared. The
    seed is the one whose runs rank closest to the median of their losses.
    """
    candidates = {loss: list(runs) for loss, runs in candidates.items() if runs}
    if not candidates:
        return {}
    shared = set.intersection(*({run.seed for run in runs} for runs in candidates.values()))
    distance: dict[int, float] = {seed: 0.0 for seed in shared if seed is not None}
    ranked = {
        loss: sorted(runs, key=lambda run: (run.outcome(view.metric), run.seed or 0))
        for loss, runs in candidates.items()
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


def failed_checks(view: View, losses: Iterable[str], places: Iterable[str]) -> dict[str, list[str]]:
    """Returns by loss the names of the checks that a run failed at one of the places."""
    return {
        loss: sorted({name for place in places for name in failed(view.runs[loss], place)})
        for loss in losses
    }


def series(runs: Sequence[StoredRun], name: str, metric: bool = False) -> tuple[Array, Array]:
    """Returns the steps of the longest run and a column at these steps, shape (runs, steps).

    A diverged run has NaN from that step on; a task metric (`metric`) has its value before
    training instead, as in the comparison.
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


def median_and_range(values: Array) -> tuple[Array, Array, Array]:
    """Returns median, minimum and maximum over runs of the finite values, NaN without any."""
    finite = finite_values(values)
    return finite.median().to_numpy(), finite.min().to_numpy(), finite.max().to_numpy()


def finite_values(values: Array) -> pd.DataFrame:
    """Returns the values with NaN for infinities; statistics of a data frame skip NaN."""
    return pd.DataFrame(np.where(np.isfinite(values), values, np.nan))


def last_finite(runs: Sequence[StoredRun], name: str) -> list[tuple[float, float]]:
    """Returns the step and value of the last finite value of each diverged run."""
    points = []
    for run in runs:
        values = run.column(name)
        finite = np.flatnonzero(np.isfinite(values))
        if run.status == "diverged" and len(finite):
            points.append((float(run.column("step")[finite[-1]]), float(values[finite[-1]])))
    return points
