"""Solutions under each other's losses, and the straight ways between solutions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landscape.numerics.geometry import achieved_drop, barrier_height
from landscape.report import statistics, words
from landscape.report.results import Results
from landscape.report.tables import TableColumn
from landscape.storage.records import CrossRunRecord, InterpolationRecord, SolutionRecord

Array = NDArray[np.float64]

# A barrier below this share of the drop of training is none.
BARRIER = 0.01
# Barriers from here on are told as multiples of the drop, not in percent.
_TIMES = 10
_METRIC = "metric"
KINDS = ("seeds", "losses")


class Matrix(NamedTuple):
    """Relative excess (solution of, under the loss), the median over seeds; task metric of each."""

    losses: tuple[str, ...]
    excess: Array
    metric: Array
    seeds: int


class Ways(NamedTuple):
    """All ways between the solutions of a pair of losses, under one of them.

    `heights` of the barriers and `dips` of the task metric below the chord, a way each; `lines`
    are rises over the better end in drops of training.
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


class Field(NamedTuple):
    """What can be compared: rows of the comparison that share a seed's start, by run."""

    across: CrossRunRecord
    names: Mapping[str, str]
    among: tuple[str, ...]
    higher_is_better: bool

    def known(self, runs: Iterable[str]) -> bool:
        """Whether all of the runs belong to it."""
        return all(self.names.get(run) in self.among for run in runs)


def fields(results: Results, table: pd.DataFrame) -> list[Field]:
    """One for each set of rows whose runs were held against each other, as in a point of a sweep.

    The rows are those of the comparison, in its order; `table` has their names.
    """
    across = results.across
    if across is None:
        return []
    groups = zip(table["name"], results.groups.values(), strict=True)
    names = {run.name: str(name) for name, runs in groups for run in runs}
    together = [set(item.risks) | {item.run} for item in across.solutions]
    together += [set(item.runs) for item in across.interpolations]
    met: list[set[str]] = []
    for runs in together:
        found = {names[run] for run in runs if run in names}
        touching = [one for one in met if one & found]
        met = [one for one in met if not one & found] + [found.union(*touching)]
    order = list(map(str, table["name"]))
    among = sorted(sorted(one, key=order.index) for one in met if one)
    among.sort(key=lambda one: order.index(one[0]))
    return [Field(across, names, tuple(one), results.higher_is_better) for one in among]


def matrix(field: Field) -> Matrix | None:
    """Relative excess of every solution under every loss."""
    solutions = [item for item in field.across.solutions if field.known([item.run])]
    of = {(field.names[item.run], item.seed): item for item in solutions}
    rows = [name for name in field.among if any(name == row for row, _ in of)]
    seeds = sorted({item.seed for item in solutions})
    if not rows:
        return None
    shape = (len(seeds), len(rows), len(rows))
    excess, metric = np.full(shape, np.nan), np.full(shape[:2], np.nan)
    for layer, seed in enumerate(seeds):
        for i, row in enumerate(rows):
            if (row, seed) not in of:
                continue
            metric[layer, i] = of[row, seed].metric
            for j, other in enumerate(rows):
                if (other, seed) in of:
                    excess[layer, i, j] = relative_excess(of[row, seed], of[other, seed])
    return Matrix(tuple(rows), _medians(excess), _medians(metric), len(seeds))


def relative_excess(solution: SolutionRecord, best: SolutionRecord) -> float:
    """(risk of `solution` - risk of `best`) / drop of `best`, under the loss of `best`."""
    under = best.run
    own = best.risks.get(under, np.nan)
    drop = achieved_drop(own, best.initial.get(under, np.nan))
    return (solution.risks.get(under, np.nan) - own) / drop


def _medians(values: Array) -> Array:
    """Over the first axis."""
    rest = values.reshape(len(values), -1)
    found = [statistics.median(rest[:, i]) for i in range(rest.shape[1])]
    return np.array(found, dtype=np.float64).reshape(values.shape[1:])


def ways(field: Field, kind: str) -> list[Ways]:
    """The ways of a kind, by pair of rows and the one under whose loss they are measured."""
    found: dict[tuple[str, str, str], list[tuple[InterpolationRecord, str]]] = {}
    for way in field.across.interpolations:
        if way.kind != kind or not field.known(way.runs):
            continue
        ends = {field.names[run]: run for run in way.runs}
        pair = sorted((field.names[run] for run in way.runs), key=field.among.index)
        for under, run in ends.items():
            if run in way.risks:
                found.setdefault((pair[0], pair[1], under), []).append((way, run))
    order = sorted(found, key=lambda key: [field.among.index(name) for name in key])
    return [_ways(kind, key, found[key], field.higher_is_better) for key in order]


def _ways(
    kind: str,
    key: tuple[str, str, str],
    pairs: Sequence[tuple[InterpolationRecord, str]],
    higher_is_better: bool,
) -> Ways:
    coordinates = np.array(pairs[0][0].coordinates)
    pairs = [pair for pair in pairs if np.array_equal(pair[0].coordinates, coordinates)]
    lines, heights, dips = [], [], []
    for way, run in pairs:
        drop = _drop(way, run, kind)
        risk, metric = np.array(way.risks[run]), np.array(way.metric)
        lines.append((risk - min(risk[0], risk[-1])) / drop)
        heights.append(float(barrier_height(risk, coordinates, drop)))
        sign = -1 if higher_is_better else 1
        dips.append(float(barrier_height(sign * metric, coordinates)))
    return Ways(kind, key[:2], key[2], coordinates, *map(np.array, (lines, heights, dips)))


def _drop(way: InterpolationRecord, run: str, kind: str) -> float:
    """The drop of training that heights are measured in: under one loss, the mean of both ends."""
    drops = way.drops.values() if kind == "seeds" else [way.drops.get(run, np.nan)]
    known = [drop for drop in drops if np.isfinite(drop) and drop > 0]
    return float(np.mean(known)) if known else np.nan


def sentences(found: Sequence[Ways]) -> list[str]:
    """Between which solutions a barrier lies, and between which none does.

    One sentence for the seeds of each loss, and one for all ways under a loss from its solution.
    """
    said = [f"Between the seeds of {w.under}: {_height(w)}." for w in found if w.kind == "seeds"]
    under: dict[str, list[str]] = {}
    for way in found:
        if way.kind == "losses":
            (other,) = set(way.losses) - {way.under}
            under.setdefault(way.under, []).append(f"{other}: {_height(way)}")
    return said + [
        f"Under {loss}, between its solution and that of {'; '.join(ways)}."
        for loss, ways in under.items()
    ]


def _height(way: Ways) -> str:
    if np.isnan(way.height):
        return "no height can be told"
    if way.height < BARRIER:
        return f"no barrier (below {words.percent(BARRIER)} % of the drop)"
    if way.height >= _TIMES:
        return f"a barrier of {words.short(way.height)} times the drop"
    return f"a barrier of {words.percent(way.height)} % of the drop"


def table(fields: Iterable[Field]) -> pd.DataFrame:
    """A row a solution: its excess under every loss, and its task metric."""
    rows: list[dict[str, Any]] = []
    for field in fields:
        found = matrix(field)
        for i, loss in enumerate(found.losses if found else ()):
            assert found is not None
            under = {f"under {other}": found.excess[i, j] for j, other in enumerate(found.losses)}
            own = {"solution of": loss, _METRIC: found.metric[i], "seeds": found.seeds}
            rows.append(own | under)
    return pd.DataFrame(rows)


def columns(table: pd.DataFrame, metric: str) -> list[TableColumn]:
    """The columns as a reader sees them."""
    said = {
        "solution of": "the loss that was trained",
        "seeds": "seeds behind the medians",
        _METRIC: f"{words.metric_label(metric)} of the solution, median over seeds",
    }
    excess = (
        "(risk of the solution - risk of that loss's own solution) / (risk of the untrained model "
        "- risk of its own solution), under that loss, within one seed; median over seeds: 0 is "
        "as good as its own solution, 1 as bad as no training; no value where training achieved "
        "no drop"
    )
    made = []
    for name in map(str, table.columns):
        heading = words.metric_label(metric) if name == _METRIC else name
        made.append(TableColumn(heading, _cell(name), said.get(name, excess)))
    return made


def _cell(name: str) -> Any:
    def text(row: pd.Series) -> str:
        value = row[name]
        if name == "seeds":
            return words.count(value)
        return words.decimal(value) if isinstance(value, float) else str(value)

    return text


def ways_table(fields: Iterable[Field]) -> pd.DataFrame:
    """A row for each kind, pair and loss it is measured under."""
    found = [way for field in fields for kind in KINDS for way in ways(field, kind)]
    return pd.DataFrame(
        {
            "between": way.kind,
            "from": way.losses[0],
            "to": way.losses[1],
            "under": way.under,
            "ways": len(way.heights),
            "barrier": way.height,
            "highest": float(np.max(way.heights)),
            "metric_dip": statistics.median(way.dips),
        }
        for way in found
    )


def ways_columns(table: pd.DataFrame, metric: str) -> list[TableColumn]:
    """The columns as a reader sees them."""
    label = words.metric_label(metric)
    said = {
        "between": "seeds: two trainings of one loss; losses: two losses from one start",
        "from": "one end",
        "to": "the other end",
        "under": "the loss that the risk is measured under",
        "ways": "how many pairs of solutions",
        "barrier": "highest rise of the risk over the chord between the two ends, in drops of "
        f"training, median over ways; below {BARRIER:g} it is called none",
        "highest": "the highest barrier of any way",
        "metric_dip": f"how far the {label} falls below the chord, median over ways",
    }
    headings = {"metric_dip": f"{label} lost"}
    return [
        TableColumn(headings.get(name, name), _count_or(name), said[name])
        for name in map(str, table.columns)
    ]


def _count_or(name: str) -> Any:
    if name == "ways":
        return lambda row: words.count(row[name])
    return _cell(name)
