"""Summarizes each loss in one sentence, by fixed rules over the numbers of its row."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from landscape.compare.joint_test import FEWEST_SEEDS
from landscape.report import words

# Smallest shares that the sentence mentions.
MENTION_DEAD_UNITS = 0.25
MENTION_DEAD_EXAMPLES = 0.50
MENTION_STEPS = 0.50
MOST_EXAMPLES = 0.90
# More names than this are counted instead.
_MOST_NAMES = 3

Row = Mapping[str, Any]


def sentence(row: Row, error: str) -> str:
    """Returns the sentence for one row; `error` is the last line of its first failed run."""
    if row["seeds"] == 0:
        return _without_result(row, error)
    if row["diverged"] == 1:
        return _join(_diverged(row), _failed_runs(row), _against_reference(row), _checks(row))
    learned = row["learns"]
    return _join(
        _learning(row) if learned else _not_learning(row),
        _below_mean(row),
        _lost_after_best(row) if learned else "",
        _dead_units(row) if learned else "",
        _dead_examples(row) if learned else "",
        _gradient_steps(row, "vanishing", "vanishing but not zero"),
        _gradient_steps(row, "exploding", "exploding"),
        _diverged(row) if row["diverged"] > 0 else "",
        _failing(row) if learned else "",
        _failed_runs(row),
        _against_reference(row),
        _top(row),
        _checks(row),
    )


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
    where = "" if row["learns"] else _at_rate(row)
    median = " (median)" if number > 1 else ""
    return f"diverged{where} in {_runs(number, row)} at step {step}{median}"


def _learning(row: Row) -> str:
    metric, reached = row["metric"], row["reached_runs"]
    final = words.metric_value(metric, row["value"])
    if math.isnan(row["target"]):
        return f"learns: from {words.metric_number(metric, row['start'])} to {final}"
    target = words.metric_value(metric, row["target"])
    if reached == 0:
        return f"learns ({final}) but never reaches the target of {target}"
    steps = words.count(row["steps_to_target"])
    if reached == row["seeds"]:
        return f"reaches {target} in {steps} steps{' (median)' if reached > 1 else ''}"
    cost = words.count(round(row["expected_steps"]))
    return f"reaches {target} in {_runs(reached, row)}, once per {cost} steps of training"


def _not_learning(row: Row) -> str:
    """Returns the clause of a loss that does not learn, with the most direct cause recorded."""
    if row["zero_runs"]:
        where = "" if row["zero_runs"] == row["seeds"] else f" in {_runs(row['zero_runs'], row)}"
        return f"never learns: the gradient is exactly zero from the first step{where}"
    metric = row["metric"]
    start = words.metric_number(metric, row["start"])
    end = words.metric_value(metric, row["value"])
    text = f"does not learn{_at_rate(row)} (from {start} to {end})"
    if row["zero_gradient"] >= MENTION_STEPS:
        share = words.percent(row["zero_gradient"])
        return f"{text}: the gradient is exactly zero at {share} % of the steps (median)"
    if row["dead_examples"] >= MOST_EXAMPLES:
        return f"{text}: {words.percent(row['dead_examples'])} % of the examples give no gradient"
    return f"{text}: {dead_units}" if (dead_units := _dead_units(row)) else text


def _at_rate(row: Row) -> str:
    """Returns the learning rates to which a failure to learn is limited."""
    rates: Sequence[float] = row["rates"]
    if len(rates) > 1 and not row["rate_learns"]:
        lowest, highest = words.tick(rates[0]), words.tick(rates[-1])
        return f" at any of {len(rates)} learning rates from {lowest} to {highest}"
    rate = row["learning_rate"]
    return "" if math.isnan(rate) else f" at learning rate {words.tick(rate)}"


def _below_mean(row: Row) -> str:
    below = words.metric_kind(row["metric"]) == "r2" and row["value"] < 0
    return "still worse than always predicting the mean" if below else ""


def _lost_after_best(row: Row) -> str:
    """Returns the clause on overfitting, if the mean exceeds the margin and its interval 0."""
    lost = row["lost_after_best"]
    if not (lost > row["margin"] and row["lost_low"] > 0):
        return ""
    amount, step = words.metric_difference(row["metric"], lost), words.count(row["best_step"])
    return f"overfits: loses {amount} after its best step, {step} (median)"


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


def _failing(row: Row) -> str:
    """Returns the clause on runs that neither learn nor diverge, of a loss that learns."""
    number = row["failures"] - round(row["diverged"] * row["seeds"])
    return f"does not learn in {_runs(number, row)}" if number > 0 else ""


def _failed_runs(row: Row) -> str:
    damaged = int(row["unreadable"])
    failed = int(row["failed"]) - damaged
    return _join(_more(failed, "failed", "failed"), _more(damaged, "is damaged", "are damaged"))


def _more(number: int, of_one: str, of_several: str) -> str:
    if not number:
        return ""
    return f"1 more run {of_one}" if number == 1 else f"{number} more runs {of_several}"


def _checks(row: Row) -> str:
    names = row.get("checks_failed", "")
    return f"check failed: {names} (see Checks)" if names else ""


def _against_reference(row: Row) -> str:
    """Returns what the joint test allows to say about the row and the reference."""
    reference, pairs = row["reference"], int(row["pairs"])
    if not row["verdict"] or (row["verdict"] == "undecided" and not row["learns"]):
        return ""
    if pairs == 0:
        return f"has no seed in common with {reference}"
    if row["verdict"] == "rates differ":
        failures = f"{row['failures']} of {row['runs']} runs"
        others = f"{row['reference_failures']} of {row['reference_runs']}"
        return f"fails in {failures}, {reference} in {others}: the rates differ, not only the means"
    if row["verdict"] == "equivalent":
        width = words.metric_difference(row["metric"], row["margin"])
        return f"equivalent to {reference} within {width}"
    if row["verdict"] == "undecided" and math.isnan(row["p_value"]):
        count = "one paired seed is" if pairs == 1 else f"{pairs} paired seeds are"
        return f"undecided against {reference}: {count} too few, {FEWEST_SEEDS} are needed"
    p = f"joint p = {row['p_value']:.3f}" if row["p_value"] >= 0.001 else "joint p < 0.001"
    if row["verdict"] == "undecided":
        return f"undecided against {reference} ({p})"
    amount = words.metric_difference(row["metric"], abs(row["difference"]))
    return f"{row['verdict']} than {reference} by {amount} ({p})"


def _top(row: Row) -> str:
    """Returns the clause of the row with the best mean: what it cannot be told apart from."""
    if not (row["top"] and row["may_be_best"] and row["learns"]) or row["compared"] < 2:
        return ""
    best = "highest" if row["higher_is_better"] else "lowest"
    text = f"{best} {words.metric_label(row['metric'])} of {row['compared']}"
    others = row["rivals"]
    if not others:
        return f"{text}, and the only one that may be best"
    names = words.listed(others) if len(others) <= _MOST_NAMES else f"{len(others)} others"
    return f"{text}, not distinguishable from {names}"
