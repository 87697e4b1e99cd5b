"""What the results of an experiment cannot show, one sentence per reason."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from landscape.compare.verdicts import identical
from landscape.report import statistics, words
from landscape.report.comparison import conditions, reference_row, target_of
from landscape.report.learning_rates import row_rate
from landscape.report.loss_rows import LossRow, best_row
from landscape.report.pair_tests import outcome_table
from landscape.report.results import Results
from landscape.report.run_measures import GRADIENT

# Under SGD, gradient norms that differ by more than this factor make the rates differ as much.
MOST_NORMS_APART = 3.0
# With fewer test examples of a class, single examples decide its share of the metric.
FEWEST_OF_A_CLASS = 20
# More rows than this are not searched for identical ones.
_MOST_ROWS = 500
_BASELINES = {
    "majority_class": "always predicting the commonest class",
    "mean": "always predicting the mean",
}


def cautions(results: Results, rows: Sequence[LossRow]) -> list[str]:
    """Returns one sentence for each reason for caution, without a capital and a period."""
    groups = conditions(rows)
    texts = [_untuned(results, rows)]
    texts += [_at_edge(results, key, groups) for key in results.swept]
    texts += [_target_out_of_reach(results), _target_below_baseline(results, groups)]
    texts += [_few_examples(rows)]
    texts += [text for group in groups for text in _identical(results, group)]
    return list(dict.fromkeys(filter(None, texts)))


def _untuned(results: Results, rows: Sequence[LossRow]) -> str:
    """Returns the caution about one learning rate for several losses."""
    rates = {row_rate(row) for row in rows if row.counted}
    if len(results.losses) < 2 or len(rates) != 1 or results.tuned:
        return ""
    (rate,) = rates
    at_rate = f"learning rate {words.tick(rate)}" if np.isfinite(rate) else "one learning rate"
    remedy = "`landscape compare` tunes the rate of each loss"
    if apart := _norms_apart(rows):
        return f"SGD trained all losses at {at_rate}, and {apart}; {remedy}"
    return f"all losses were trained at {at_rate}, and none was tuned: {remedy}"


def _norms_apart(rows: Sequence[LossRow]) -> str:
    """Returns a clause if initial gradient norms under SGD are far apart, else an empty text."""
    optimizers = {run.config.optimizer.name for row in rows for run in row.counted if run.config}
    medians: dict[str, float] = {}
    for loss in dict.fromkeys(row.loss for row in rows):
        runs = [run for row in rows if row.loss == loss for run in row.counted]
        norm = statistics.median([run.first(GRADIENT) for run in runs])
        if 0 < norm < np.inf:
            medians[loss] = norm
    if optimizers != {"sgd"} or len(medians) < 2:
        return ""
    low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    factor = medians[high] / medians[low]
    if factor <= MOST_NORMS_APART:
        return ""
    norms = " and ".join(f"{words.scientific(medians[loss])} for {loss}" for loss in (low, high))
    return (
        f"their initial gradient norms differ by a factor of {words.scientific(factor)} ({norms}): "
        "multiplying a loss by a number would change this comparison"
    )


def _at_edge(results: Results, key: str, groups: Iterable[Sequence[LossRow]]) -> str:
    """Returns the caution about losses whose best value of a tuned key is at an end of its grid."""
    if key.partition(".")[0] not in ("optimizer", "losses"):
        return ""
    edges: dict[str, None] = {}
    for group in groups:
        reference = reference_row(results, group)
        for loss in dict.fromkeys(row.loss for row in group):
            rows = [row for row in group if row.loss == loss and _is_number(row.swept.get(key))]
            if edge := _edge(rows, reference, key):
                edges[f"{loss} ({edge})"] = None
    if not edges:
        return ""
    names = words.listed(list(edges))
    return f"the best {key} is at the edge of its grid for {names}: a value beyond may be better"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _edge(rows: Sequence[LossRow], reference: LossRow, key: str) -> str:
    """Returns `0.1, the highest` if the best value is at an end, also if others are as good."""
    grid = sorted({float(row.swept[key]) for row in rows})
    if len(grid) < 2:
        return ""
    best = best_row(rows)
    as_good = {float(row.swept[key]) for row in rows if row.value == best.value}
    if not best.learns(reference) or not as_good <= {grid[0], grid[-1]}:
        return ""
    value = float(best.swept[key])
    return f"{words.tick(value)}, the {'lowest' if value == grid[0] else 'highest'}"


def _target_out_of_reach(results: Results) -> str:
    target = None if results.settings is None else results.settings.target
    sign = 1 if results.higher_is_better else -1
    if target is None or not sign * target > sign * results.perfect:  # False for NaN
        return ""
    name, end = words.metric_label(results.metric), "most" if sign > 0 else "least"
    limit = f"{name} is at {end} {results.perfect:g}"
    return f"the target is {target:g}, but {limit}: no run can reach it; change it"


def _target_below_baseline(results: Results, groups: Iterable[Sequence[LossRow]]) -> str:
    for group in groups:
        target = target_of(results, reference_row(results, group))
        for name, value in baselines(group).items():
            better = group[0].oriented(target) > group[0].oriented(value)
            if name in _BASELINES and not np.isnan(target) and not better:
                shown = words.metric_value(results.metric, target)
                baseline = words.metric_number(results.metric, value)
                return f"the target of {shown} shows no learning: {_BASELINES[name]} has {baseline}"
    return ""


def baselines(rows: Sequence[LossRow]) -> dict[str, float]:
    """Returns the primary metric on the test split without training, by name: medians over runs."""
    values: dict[str, list[float]] = {}
    for run in (run for row in rows for run in row.counted if run.summary):
        for name, value in run.summary.baselines.items():  # type: ignore[union-attr]
            values.setdefault(name, []).append(value)
    return {name: statistics.median(numbers) for name, numbers in values.items()}


def _few_examples(rows: Sequence[LossRow]) -> str:
    summaries = [run.summary for row in rows for run in row.counted if run.summary]
    counts = [s.smallest_class for s in summaries if s.smallest_class is not None]
    if not counts or min(counts) >= FEWEST_OF_A_CLASS:
        return ""
    examples = "1 example" if min(counts) == 1 else f"{min(counts)} examples"
    return (
        f"the test split has {examples} of its rarest class, fewer than {FEWEST_OF_A_CLASS}: "
        f"single examples decide the {words.metric_label(rows[0].metric)}"
    )


def _identical(results: Results, rows: Sequence[LossRow]) -> list[str]:
    """Returns a caution for each set of rows that agree at every record of every run."""
    reference = reference_row(results, rows)
    learning = [row for row in rows if row.learns(reference)]
    if len(learning) > _MOST_ROWS:
        return []
    sets: dict[int, list[int]] = {}
    for first, second in identical(outcome_table(learning)):
        known = any(second in members for members in sets.values())
        if not known and _same_traces(learning[first], learning[second]):
            sets.setdefault(first, [first]).append(second)
    metric = words.metric_label(results.metric)
    return [
        f"{words.listed([learning[i].name for i in members])} have the same {metric} at every "
        f"record of every run: they train alike, or the {metric} cannot tell them apart"
        for members in sets.values()
    ]


def _same_traces(row: LossRow, other: LossRow) -> bool:
    first, second = (
        {run.seed: run.column(each.metric) for run in each.counted} for each in (row, other)
    )
    return first.keys() == second.keys() and all(
        np.array_equal(first[seed], second[seed], equal_nan=True) for seed in first
    )
