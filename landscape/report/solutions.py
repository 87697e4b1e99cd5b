"""Compares solutions: each under the losses of other runs, and the barriers between two of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from landscape.numerics.geometry import achieved_drop, barrier_height
from landscape.report import statistics, words
from landscape.report.comparison_row import Row
from landscape.report.results import Results
from landscape.report.tables import TableColumn, value_column
from landscape.storage.records import CrossRunRecord, InterpolationRecord, SolutionRecord

Array = NDArray[np.float64]

# A rise below this share of the drop of the risk in training is not called a barrier.
BARRIER = 0.01
# Barriers of at least this height are reported as multiples of the drop, not in percent.
_TIMES = 10
KINDS = ("seeds", "losses")
_EXCESS = (
    "(risk of the solution - risk of that loss's own solution) / (risk of the untrained model - "
    "risk of its own solution), under that loss, within one seed; median over seeds: 0 is as good "
    "as its own solution, 1 as bad as no training; undefined if training did not decrease the risk"
)


class ExcessMatrix(NamedTuple):
    """Relative excess of each solution (row) under each loss (column), medians over seeds.

    `metric` is the task metric of each solution.
    """

    losses: tuple[str, ...]
    excess: Array
    metric: Array
    seeds: int


class Interpolations(NamedTuple):
    """All segments between the solutions of a pair of losses, measured under one of the two.

    With one row per segment, in drops of the risk in training: `lines`, the rise over the better
    end, and `heights` of the barriers. `dips` are the dips of the task metric below the chord.
    """

    kind: str
    losses: tuple[str, str]
    under: str
    coordinates: Array
    lines: Array
    heights: Array
    dips: Array

    @property
    def height(self) -> float:
        return statistics.median(self.heights)


class SolutionGroup(NamedTuple):
    """Rows of the comparison (`names`) whose solutions were measured under each other's losses.

    `name_of` maps every run of the experiment to its row.
    """

    across: CrossRunRecord
    name_of: Mapping[str, str]
    names: tuple[str, ...]
    higher_is_better: bool

    def contains(self, runs: Iterable[str]) -> bool:
        """Returns whether all of the runs belong to the group."""
        return all(self.name_of.get(run) in self.names for run in runs)


def groups(results: Results, rows: Sequence[Row]) -> list[SolutionGroup]:
    """Returns the groups of rows that share measurements, such as one per point of a sweep.

    `rows` are the comparison; the groups and their names are in its order.
    """
    across = results.across
    if across is None:
        return []
    names = [row.name for row in rows]
    name_of = {run.name: row.name for row in rows for run in row.runs.runs}
    components: list[set[str]] = []
    compared = [{item.run, *item.risks} for item in across.solutions]
    for runs in compared + [set(item.runs) for item in across.interpolations]:
        merged = {name_of[run] for run in runs if run in name_of}
        touching = [component for component in components if component & merged]
        components = [component for component in components if not component & merged]
        components.append(merged.union(*touching))
    indices = sorted(sorted(map(names.index, component)) for component in components if component)
    return [
        SolutionGroup(across, name_of, tuple(names[i] for i in members), results.higher_is_better)
        for members in indices
    ]


def matrix(group: SolutionGroup) -> ExcessMatrix | None:
    """Returns the relative excess of every solution under every loss; None without solutions."""
    solutions: dict[str, dict[int, SolutionRecord]] = {name: {} for name in group.names}
    for item in group.across.solutions:
        if group.contains([item.run]):
            solutions[group.name_of[item.run]][item.seed] = item
    solutions = {name: by_seed for name, by_seed in solutions.items() if by_seed}
    if not solutions:
        return None
    excess = [
        [
            statistics.median([relative_excess(row[s], other[s]) for s in row.keys() & other])
            for other in solutions.values()
        ]
        for row in solutions.values()
    ]
    metric = [
        statistics.median([item.metric for item in row.values()]) for row in solutions.values()
    ]
    seeds = set().union(*solutions.values())
    return ExcessMatrix(tuple(solutions), np.array(excess), np.array(metric), len(seeds))


def relative_excess(solution: SolutionRecord, best: SolutionRecord) -> float:
    """Returns (risk of `solution` - risk of `best`) / drop of `best`, under the loss of `best`."""
    under = best.run
    lowest = best.risks.get(under, np.nan)
    drop = achieved_drop(lowest, best.initial.get(under, np.nan))
    return (solution.risks.get(under, np.nan) - lowest) / drop


def interpolations(group: SolutionGroup, kind: str) -> list[Interpolations]:
    """Returns the segments of a kind, by pair of names and name under which they are measured."""
    records: dict[tuple[str, str, str], list[tuple[InterpolationRecord, str]]] = {}
    for record in group.across.interpolations:
        if record.kind == kind and group.contains(record.runs):
            ends = [(group.name_of[run], run) for run in record.runs]
            first, second = sorted((name for name, _ in ends), key=group.names.index)
            for under, run in dict(ends).items():
                if run in record.risks:
                    records.setdefault((first, second, under), []).append((record, run))
    order = sorted(records, key=lambda names: [group.names.index(name) for name in names])
    return [_interpolations(kind, names, records[names], group.higher_is_better) for names in order]


def _interpolations(
    kind: str,
    names: tuple[str, str, str],
    records: Sequence[tuple[InterpolationRecord, str]],
    higher_is_better: bool,
) -> Interpolations:
    coordinates = np.array(records[0][0].coordinates)
    lines, heights, dips = [], [], []
    for record, run in records:
        if not np.array_equal(record.coordinates, coordinates):
            continue
        drop = _drop(record, run)
        risk, metric = np.array(record.risks[run]), np.array(record.metric)
        lines.append((risk - min(risk[0], risk[-1])) / drop)
        heights.append(float(barrier_height(risk, coordinates, drop)))
        dips.append(float(barrier_height(-metric if higher_is_better else metric, coordinates)))
    return Interpolations(
        kind, names[:2], names[2], coordinates, *map(np.array, (lines, heights, dips))
    )


def _drop(record: InterpolationRecord, run: str) -> float:
    """Returns the unit of heights: the drop of the run; between seeds, the mean of both drops.

    NaN unless training decreased the risk at both ends: a hill between points that have not learned
    is no barrier between solutions.
    """
    ends = [record.drops.get(name, np.nan) for name in record.runs]
    if not all(np.isfinite(drop) and drop > 0 for drop in ends):
        return np.nan
    return float(np.mean(ends)) if record.kind == "seeds" else record.drops[run]


def sentences(segments: Sequence[Interpolations]) -> list[str]:
    """Describes the barriers: a sentence per loss on its seeds, and one per loss on the others."""
    texts = [
        f"Between the seeds of {s.under}: {_height(s)}." for s in segments if s.kind == "seeds"
    ]
    heights: dict[str, list[str]] = {}
    for segment in segments:
        if segment.kind == "losses":
            (other,) = set(segment.losses) - {segment.under}
            heights.setdefault(segment.under, []).append(f"{other}: {_height(segment)}")
    return texts + [
        f"Under {loss}, between its solution and that of {'; '.join(clauses)}."
        for loss, clauses in heights.items()
    ]


def _height(segment: Interpolations) -> str:
    if np.isnan(segment.height):
        return "the height is undefined"
    if segment.height < BARRIER:
        return f"no barrier (below {words.percent(BARRIER)} % of the drop)"
    if segment.height >= _TIMES:
        return f"a barrier of {words.short(segment.height)} times the drop"
    return f"a barrier of {words.percent(segment.height)} % of the drop"


class SolutionRow(NamedTuple):
    """The solution of a loss: its task metric, and its excess under each loss of its group."""

    loss: str
    metric: float
    seeds: int
    excess: Mapping[str, float]


def rows(groups: Iterable[SolutionGroup]) -> list[SolutionRow]:
    """Returns one row per solution."""
    matrices = [excess for group in groups if (excess := matrix(group)) is not None]
    return [
        SolutionRow(
            loss,
            float(excess.metric[index]),
            excess.seeds,
            dict(zip(excess.losses, excess.excess[index].tolist(), strict=True)),
        )
        for excess in matrices
        for index, loss in enumerate(excess.losses)
    ]


def columns(rows: Sequence[SolutionRow], metric: str) -> list[TableColumn[SolutionRow]]:
    """Returns the columns of these rows; a row has none of the losses of other groups."""
    label = words.metric_label(metric)
    return [
        value_column("solution of", "the loss that was trained", lambda row: row.loss),
        value_column(
            label,
            f"{label} of the solution, median over seeds",
            lambda row: row.metric,
            words.decimal,
            name="metric",
        ),
        value_column(
            "seeds", "number of seeds behind the medians", lambda row: row.seeds, words.count
        ),
        *(_excess_column(loss) for loss in dict.fromkeys(loss for r in rows for loss in r.excess)),
    ]


def _excess_column(loss: str) -> TableColumn[SolutionRow]:
    return value_column(
        f"under {loss}", _EXCESS, lambda row: row.excess.get(loss, np.nan), words.decimal
    )


def barriers(groups: Iterable[SolutionGroup]) -> list[Interpolations]:
    """Returns all segments, by kind, pair of losses, and loss under which they are measured."""
    return [
        segment for group in groups for kind in KINDS for segment in interpolations(group, kind)
    ]


def barrier_columns(metric: str) -> list[TableColumn[Interpolations]]:
    """Returns the columns of the table of barriers."""
    label = words.metric_label(metric)
    return [
        value_column(
            "between",
            "seeds: two seeds of one loss; losses: two losses with one seed",
            lambda segment: segment.kind,
        ),
        value_column("from", "loss of one end", lambda segment: segment.losses[0]),
        value_column("to", "loss of the other end", lambda segment: segment.losses[1]),
        value_column(
            "under", "loss under which the risk is measured", lambda segment: segment.under
        ),
        value_column(
            "pairs",
            "number of pairs of solutions",
            lambda segment: len(segment.heights),
            words.count,
            name="ways",
        ),
        value_column(
            "barrier",
            "largest rise of the risk above the chord between both ends, in drops of the risk in "
            f"training, median over pairs; below {BARRIER:g} it is not called a barrier; undefined "
            "unless training decreased the risk at both ends",
            lambda segment: segment.height,
            words.decimal,
        ),
        value_column(
            "highest",
            "highest barrier of all pairs",
            lambda segment: float(np.max(segment.heights)),
            words.decimal,
        ),
        value_column(
            f"{label} lost",
            f"largest dip of the {label} below the chord, median over pairs",
            lambda segment: statistics.median(segment.dips),
            words.decimal,
            name="metric_dip",
        ),
    ]
