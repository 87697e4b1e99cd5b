"""One plain sentence a loss: rules over the numbers of its row, each true of the data shown."""

import math
from collections.abc import Mapping
from typing import Any

from landscape.report import words
from landscape.report.statistics import SIGNIFICANT, can_be_significant

# A loss that gains less than this share of what the best loss gains does not learn.
LEARNS_GAIN = 0.10
# A best loss that gains less than this share of what is left to the perfect value does not either.
LEARNS_ROOM = 0.02
# Shares from which the sentence mentions them.
MENTION_DEAD_UNITS = 0.25
MENTION_DEAD_EXAMPLES = 0.50
MENTION_STEPS = 0.50
MOST_EXAMPLES = 0.90

Row = Mapping[str, Any]


def sentence(row: Row, error: str) -> str:
    """What was found for one row; `error` is the last line of its first failed run."""
    if row["seeds"] == 0:
        return _nothing(row, error)
    if row["diverged"] == 1:
        return _clauses([_diverged(row), *_failed(row), *_checks(row)])
    learned = learns(row)
    main = _reached(row) if learned else _stuck(row)
    dead = [*_dead_units(row), *_dead_examples(row)] if learned else []
    partly = [_diverged(row)] if row["diverged"] > 0 else []
    leads = row["best"] == row["name"]
    rank = (_best(row) if learned else []) if leads else _against_best(row)
    told = [main, *_below_mean(row), *dead, *_steps(row), *partly, *_failed(row), *rank]
    return _clauses([*told, *_checks(row)])


def learns(row: Row) -> bool:
    """Whether the metric moved from the untrained model's by an amount worth the word."""
    gained = row["value"] - row["start"]
    if not row["higher_is_better"]:
        gained = -gained
    if not gained > 0:
        return False
    at_most_one = words.metric_kind(row["metric"]) in words.AT_MOST_ONE
    room = (1 - row["start"]) if at_most_one else math.inf
    enough = gained >= LEARNS_ROOM * room if math.isfinite(room) and room > 0 else True
    return bool(row["gain"] >= LEARNS_GAIN and enough)


def _clauses(parts: list[str]) -> str:
    return "; ".join(part for part in parts if part)


def _runs(number: float, row: Row) -> str:
    total = int(row["seeds"])
    if number == total:
        return {1: "the only run", 2: "both runs"}.get(total, f"all {total} runs")
    return f"{int(number)} of {total} runs"


def _nothing(row: Row, error: str) -> str:
    if row["failed"]:
        total = int(row["failed"] + row["unfinished"])
        share = (
            f"all {total} runs" if row["failed"] == total else f"{row['failed']} of {total} runs"
        )
        return f"failed in {share}: {error}" if error else f"failed in {share}"
    return "no run has finished" if row["unfinished"] else "no run gives the task metric"


def _diverged(row: Row) -> str:
    number = round(row["diverged"] * row["seeds"])
    step = words.count(row["diverged_step"])
    return f"diverged in {_runs(number, row)} at step {step}{' (median)' if number > 1 else ''}"


def _reached(row: Row) -> str:
    metric, number = row["metric"], row["reached_runs"]
    final = words.metric_value(metric, row["value"])
    if math.isnan(row["target"]):
        return f"learns: from {words.decimal(row['start'])} to {final}"
    target = words.metric_value(metric, row["target"])
    if number == 0:
        return f"learns ({final}) but never reaches the target of {target}"
    steps = f"{words.count(row['steps_to_target'])} steps"
    if number == row["seeds"]:
        return f"reaches {target} in {steps}{' (median)' if number > 1 else ''}"
    some = f"reaches {target} in {_runs(number, row)}, in {steps}"
    return some + (" (median of those)" if number > 1 else "")


def _stuck(row: Row) -> str:
    """Does not learn; the plainest cause that the recorded gradients show."""
    if row["zero_runs"]:
        where = "" if row["zero_runs"] == row["seeds"] else f" in {_runs(row['zero_runs'], row)}"
        return f"never learns: the gradient is exactly zero from the first step on{where}"
    start, end = words.decimal(row["start"]), words.metric_value(row["metric"], row["value"])
    text = f"does not learn (from {start} to {end})"
    if row["zero_gradient"] >= MENTION_STEPS:
        share = words.percent(row["zero_gradient"])
        return f"{text}: the gradient is exactly zero at {share} % of the steps (median)"
    if row["dead_examples"] >= MOST_EXAMPLES:
        return f"{text}: {words.percent(row['dead_examples'])} % of the examples give no gradient"
    if row["dead_units"] >= MENTION_DEAD_UNITS:
        return f"{text}: {words.percent(row['dead_units'])} % of the units are dead at the end"
    return text


def _below_mean(row: Row) -> list[str]:
    below = words.metric_kind(row["metric"]) == "r2" and row["value"] < 0
    return ["still worse than always predicting the mean"] if below else []


def _dead_units(row: Row) -> list[str]:
    share = row["dead_units"]
    text = f"{words.percent(share)} % of the units are dead at the end"
    return [text] if share >= MENTION_DEAD_UNITS else []


def _dead_examples(row: Row) -> list[str]:
    share = row["dead_examples"]
    text = f"at the end {words.percent(share)} % of the examples give no gradient"
    return [text] if share >= MENTION_DEAD_EXAMPLES else []


def _steps(row: Row) -> list[str]:
    kinds = (("vanishing", "vanishing but not zero"), ("exploding", "exploding"))
    return [
        f"gradients {text} in {words.percent(row[name])} % of the steps"
        for name, text in kinds
        if row[name] >= MENTION_STEPS and row["zero_runs"] == 0
    ]


def _failed(row: Row) -> list[str]:
    number = int(row["failed"])
    return [f"{number} more {'run' if number == 1 else 'runs'} failed"] if number else []


def _checks(row: Row) -> list[str]:
    names = row.get("checks_failed", "")
    return [f"check failed: {names} (see Checks)"] if names else []


def _best(row: Row) -> list[str]:
    """Said only of a loss that has rivals and is alone at the top."""
    alone = row["rivals"] and not row["ties"]
    return [f"best {words.metric_label(row['metric'])} of all"] if alone else []


def _against_best(row: Row) -> list[str]:
    best, pairs = row["best"], int(row["pairs"])
    if not best:
        return []
    if pairs == 0:
        return [f"shares no seed with {best}"]
    if not can_be_significant(pairs):
        return [f"inconclusive against {best}: {pairs} paired {_seeds(pairs)} cannot decide"]
    p = f"p = {row['p_value']:.3f}" if row["p_value"] >= 0.001 else "p < 0.001"
    if row["p_value"] > SIGNIFICANT:
        return [f"inconclusive against {best} ({p})"]
    better = (row["difference"] > 0) == row["higher_is_better"]
    return [f"{'better' if better else 'worse'} than {best} ({p})"]


def _seeds(number: int) -> str:
    return "seed" if number == 1 else "seeds"
