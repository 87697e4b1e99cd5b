"""Summarizes each loss in one sentence, by fixed rules over the numbers of its row."""

import math
from collections.abc import Mapping
from typing import Any

from landscape.report import words
from landscape.report.statistics import SIGNIFICANT, can_be_significant

# A loss learns if it gains at least this share of what the best loss gains ...
LEARNS_GAIN = 0.10
# ... and at least this share of the gap between the untrained model and a perfect value.
LEARNS_ROOM = 0.02
# Smallest shares that the sentence mentions.
MENTION_DEAD_UNITS = 0.25
MENTION_DEAD_EXAMPLES = 0.50
MENTION_STEPS = 0.50
MOST_EXAMPLES = 0.90

Row = Mapping[str, Any]


def sentence(row: Row, error: str) -> str:
    """Returns the sentence for one row; `error` is the last line of its first failed run."""
    if row["seeds"] == 0:
        return _without_result(row, error)
    if row["diverged"] == 1:
        return _join(_diverged(row), _failed_runs(row), _failed_checks(row))
    learned = learns(row)
    is_best = row["best"] == row["name"]
    return _join(
        _learning(row) if learned else _not_learning(row),
        _below_mean(row),
        _dead_units(row) if learned else "",
        _dead_examples(row) if learned else "",
        _gradient_steps(row, "vanishing", "vanishing but not zero"),
        _gradient_steps(row, "exploding", "exploding"),
        _diverged(row) if row["diverged"] > 0 else "",
        _failed_runs(row),
        _against_best(row) if not is_best else _single_best(row) if learned else "",
        _failed_checks(row),
    )


def learns(row: Row) -> bool:
    """Returns whether the metric improved enough over the untrained model: see `LEARNS_GAIN`."""
    gained = row["value"] - row["start"]
    if not row["higher_is_better"]:
        gained = -gained
    if not gained > 0:
        return False
    at_most_one = words.metric_kind(row["metric"]) in words.AT_MOST_ONE
    room = (1 - row["start"]) if at_most_one else math.inf
    enough = gained >= LEARNS_ROOM * room if math.isfinite(room) and room > 0 else True
    return bool(row["gain"] >= LEARNS_GAIN and enough)


def _join(*clauses: str) -> str:
    return "; ".join(filter(None, clauses))


def _runs(number: float, row: Row) -> str:
    total = int(row["seeds"])
    if number == total:
        return {1: "the only run", 2: "both runs"}.get(total, f"all {total} runs")
    return f"{int(number)} of {total} runs"


def _without_result(row: Row, error: str) -> str:
    if row["failed"]:
        total = int(row["failed"] + row["unfinished"])
        runs = f"{row['failed']} of {total} runs"
        if row["failed"] == total:
            runs = "the only run" if total == 1 else f"all {total} runs"
        text = f"failed in {runs}"
        if row["unreadable"] == row["failed"]:
            text = f"no result: {runs} {'is' if row['failed'] == 1 else 'are'} damaged"
        return text + (f": {error}" if error else "")
    return "no run has finished" if row["unfinished"] else "no run has a finite task metric"


def _diverged(row: Row) -> str:
    number = round(row["diverged"] * row["seeds"])
    step = words.count(row["diverged_step"])
    return f"diverged in {_runs(number, row)} at step {step}{' (median)' if number > 1 else ''}"


def _learning(row: Row) -> str:
    metric, reached = row["metric"], row["reached_runs"]
    final = words.metric_value(metric, row["value"])
    if math.isnan(row["target"]):
        return f"learns: from {words.metric_number(metric, row['start'])} to {final}"
    target = words.metric_value(metric, row["target"])
    if reached == 0:
        return f"learns ({final}) but never reaches the target of {target}"
    steps = f"{words.count(row['steps_to_target'])} steps"
    if reached == row["seeds"]:
        return f"reaches {target} in {steps}{' (median)' if reached > 1 else ''}"
    text = f"reaches {target} in {_runs(reached, row)}, in {steps}"
    return text + (" (median of those)" if reached > 1 else "")


def _not_learning(row: Row) -> str:
    """Returns the clause of a loss that does not learn, with the most direct cause recorded."""
    if row["zero_runs"]:
        where = "" if row["zero_runs"] == row["seeds"] else f" in {_runs(row['zero_runs'], row)}"
        return f"never learns: the gradient is exactly zero from the first step{where}"
    metric = row["metric"]
    start = words.metric_number(metric, row["start"])
    end = words.metric_value(metric, row["value"])
    text = f"does not learn (from {start} to {end})"
    if row["zero_gradient"] >= MENTION_STEPS:
        share = words.percent(row["zero_gradient"])
        return f"{text}: the gradient is exactly zero at {share} % of the steps (median)"
    if row["dead_examples"] >= MOST_EXAMPLES:
        return f"{text}: {words.percent(row['dead_examples'])} % of the examples give no gradient"
    return f"{text}: {dead_units}" if (dead_units := _dead_units(row)) else text


def _below_mean(row: Row) -> str:
    below = words.metric_kind(row["metric"]) == "r2" and row["value"] < 0
    return "still worse than always predicting the mean" if below else ""


def _dead_units(row: Row) -> str:
    share = row["dead_units"]
    text = f"{words.percent(share)} % of the units are dead at the end"
    return text if share >= MENTION_DEAD_UNITS else ""


def _dead_examples(row: Row) -> str:
    share = row["dead_examples"]
    text = f"at the end {words.percent(share)} % of the examples give no gradient"
    return text if share >= MENTION_DEAD_EXAMPLES else ""


def _gradient_steps(row: Row, name: str, text: str) -> str:
    if row[name] >= MENTION_STEPS and row["zero_runs"] == 0:
        return f"gradients {text} in {words.percent(row[name])} % of the steps"
    return ""


def _failed_runs(row: Row) -> str:
    damaged = int(row["unreadable"])
    failed = int(row["failed"]) - damaged
    return _join(_more(failed, "failed", "failed"), _more(damaged, "is damaged", "are damaged"))


def _more(number: int, of_one: str, of_several: str) -> str:
    if not number:
        return ""
    return f"1 more run {of_one}" if number == 1 else f"{number} more runs {of_several}"


def _failed_checks(row: Row) -> str:
    names = row.get("checks_failed", "")
    return f"check failed: {names} (see Checks)" if names else ""


def _single_best(row: Row) -> str:
    """Returns the clause of the single best loss; empty if there is a tie or only one loss."""
    alone = row["rivals"] and not row["ties"]
    return f"best {words.metric_label(row['metric'])} of all" if alone else ""


def _against_best(row: Row) -> str:
    best, pairs = row["best"], int(row["pairs"])
    if not best:
        return ""
    if pairs == 0:
        return f"has no seed in common with {best}"
    if not can_be_significant(pairs):
        count = "one paired seed is" if pairs == 1 else f"{pairs} paired seeds are"
        return f"inconclusive against {best}: {count} too few"
    p = f"p = {row['p_value']:.3f}" if row["p_value"] >= 0.001 else "p < 0.001"
    if row["p_value"] > SIGNIFICANT:
        return f"inconclusive against {best} ({p})"
    better = (row["difference"] > 0) == row["higher_is_better"]
    return f"{'better' if better else 'worse'} than {best} ({p})"
