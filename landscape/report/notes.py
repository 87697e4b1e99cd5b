"""The notes below the comparison: target, reference, baselines, and how the losses are compared."""

from collections.abc import Sequence

import numpy as np

from landscape.compare.joint_test import FEWEST_SEEDS
from landscape.compare.tuning import SUCCEEDS
from landscape.errors import counted
from landscape.report import words
from landscape.report.cautions import baselines
from landscape.report.comparison import shown_points
from landscape.report.comparison_row import Row
from landscape.report.loss_rows import LossRow
from landscape.report.results import Results

_BASELINES = {
    "majority_class": "always the commonest class",
    "mean": "always the mean",
    "untrained": "the untrained model",
}


def notes(results: Results, rows: Sequence[Row]) -> list[str]:
    """Returns the notes as sentences."""
    metric = words.metric_label(results.metric)
    loss_runs = [row.runs for row in rows]
    texts = [
        _target(results, rows),
        baseline_sentence(results, loss_runs),
        _batch_statistics(loss_runs),
    ]
    if len(shown_points(rows)) < len(rows):
        texts.append(
            "The comparison and the figures show each swept loss at the point of the sweep with "
            f"the best {metric}. The point was selected by the numbers shown, so its mean is "
            "slightly optimistic; the joint p accounts for the selection. The sweep table has "
            "every point."
        )
    texts.append(
        "Losses are compared by the task metric, never by their own values, whose units differ. "
        "Runs are paired by seed: all losses of a seed share initial parameters and data order. "
        f"The test needs {FEWEST_SEEDS} seeds. Its p is about this data set: the seeds split one "
        "pool of examples, and the corrected interval of the difference accounts for that."
    )
    texts += [_thresholds(loss_runs), _loss_calls(results)]
    if any(run.problem for run in results.runs):
        texts.append("Some files could not be read and are left out; see the section on failures.")
    if results.problem:
        texts.append(f"Measurements across runs are left out: {results.problem}.")
    return list(filter(None, texts))


def _thresholds(rows: Sequence[LossRow]) -> str:
    """Returns the thresholds that metrics chose, as means over seeds."""
    texts = []
    for row in rows:
        chosen = [run.summary.thresholds for run in row.counted if run.summary is not None]
        names = set[str]().union(*chosen)
        for metric in sorted(name for name in names if all(name in each for each in chosen)):
            mean = float(np.mean([thresholds[metric] for thresholds in chosen]))
            texts.append(f"{words.decimal(mean)} for {words.metric_label(metric)} of {row.name}")
    if not texts:
        return ""
    return (
        "Thresholds of the probability of class 1, chosen on the validation split, in the mean "
        f"over seeds: {', '.join(texts)}."
    )


def _loss_calls(results: Results) -> str:
    """Returns how each user-defined loss is called, and each that takes a field of the dataset."""
    calls = {run.loss: run.summary.loss_call for run in results.runs if run.summary is not None}
    texts = [f"{label} as {call}" for label, call in calls.items() if call]
    return f"How losses are called: {'; '.join(texts)}." if texts else ""


def _batch_statistics(rows: Sequence[LossRow]) -> str:
    """Returns how slices normalize, if the model has batch normalization."""
    summaries = [run.summary for row in rows for run in row.counted if run.summary]
    kinds = {summary.batch_statistics for summary in summaries} - {None}
    if kinds == {"recomputed"}:
        return (
            "Slices and curvature recompute the batch statistics of the model at every point, from "
            "each evaluation batch."
        )
    if kinds == {"frozen"}:
        return (
            "Slices and curvature keep the batch statistics of training at every point: displaced "
            "weights do not fit them, so the risk rises faster than with statistics of their own."
        )
    return ""


def may_be_best(rows: Sequence[Row], metric: str) -> str:
    """Returns which rows may have the best metric as a sentence; many are counted.

    Rows without a finished run are left out and counted.
    """
    finished = [row for row in rows if row.estimate.seeds]
    missing = len(rows) - len(finished)
    if missing and finished:
        verb = "has" if missing == 1 else "have"
        text = f"{counted(missing, 'row')} of the table {verb} no finished run."
        return f"{may_be_best(finished, metric)} {text}"
    best = [row for row in rows if row.joint.may_be_best]
    names = [row.name for row in best]
    if len(rows) < 2:
        return "One loss alone: there is nothing to compare it with."
    if not names:
        return (
            f"None may have the best {metric}: each loss fails in every run, or is worse than "
            "another."
        )
    if len(names) == len(rows):
        return f"Any of the losses may have the best {metric}: the runs tell none apart."
    if len(names) <= words.MOST_POINTS:
        verb = "is the only one that may" if len(names) == 1 else "may"
        return (
            f"{words.listed(names)} {verb} have the best {metric}: each other one is worse or "
            "fails."
        )
    losses = dict.fromkeys(row.loss for row in rows)
    behind = [loss for loss in losses if loss not in {row.loss for row in best}]
    swept = len(rows) > len(losses)
    of = f"{len(rows)} {'points of the sweep' if swept else 'losses'}"
    text = f"{len(names)} of {of} may have the best {metric}: the runs do not tell these apart."
    if not swept or not behind or len(behind) > words.MOST_POINTS:
        return text
    return f"{text} No point of {words.listed(behind)} may: each is worse or fails."


def _target(results: Results, rows: Sequence[Row]) -> str:
    known = (row.target.value for row in rows if not np.isnan(row.target.value))
    targets = list(dict.fromkeys(known))
    if not targets:
        return (
            "There is no target: the config sets none, and the reference, "
            f"{results.reference}, does not learn."
        )
    if results.settings is not None and results.settings.target is not None:
        return f"The target is {words.metric_value(results.metric, targets[0])}, set in the config."
    rule = (
        f"{words.percent(SUCCEEDS)} % of what the reference, {results.reference}, gains over its "
        "untrained model"
    )
    if len(targets) > 1:
        return f"The target is {rule} under the same conditions."
    return f"The target is {words.metric_value(results.metric, targets[0])}: {rule}."


def baseline_sentence(results: Results, rows: Sequence[LossRow]) -> str:
    """Returns the baselines of the metric as a sentence, empty without baselines."""
    texts = [
        f"{_BASELINES.get(name, name)} {words.metric_number(results.metric, value)}"
        for name, value in baselines(rows).items()
    ]
    metric = words.metric_label(results.metric)
    return f"Baselines of the {metric} on the test split: {', '.join(texts)}." if texts else ""
