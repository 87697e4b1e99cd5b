"""Summarizes each loss in one sentence, by fixed rules over the numbers of its row."""

import math

from landscape.compare.joint_test import FEWEST_SEEDS
from landscape.report import words
from landscape.report.comparison_row import Row

# Smallest shares that the sentence mentions.
MENTION_DEAD_UNITS = 0.25
MENTION_DEAD_EXAMPLES = 0.50
MENTION_STEPS = 0.50
MOST_EXAMPLES = 0.90
# More names than this are counted instead.
_MOST_NAMES = 3


def sentence(row: Row, error: str) -> str:
    """Returns the sentence for one row; `error` is the last line of its first failed run."""
    if row.estimate.seeds == 0:
        return _without_result(row, error)
    if row.states.diverged == 1:
        return _join(_diverged(row), _failed_runs(row), _against_reference(row), _checks(row))
    learned = row.gain.learns
    return _join(
        _learning(row) if learned else _not_learning(row),
        _below_mean(row),
        _lost_after_best(row) if learned else "",
        _dead_units(row) if learned else "",
        _dead_examples(row) if learned else "",
        _gradient_steps(row, row.gradients.vanishing, "vanishing but not zero"),
        _gradient_steps(row, row.gradients.exploding, "exploding"),
        _diverged(row) if row.states.diverged > 0 else "",
        _failing(row) if learned else "",
        _failed_runs(row),
        _against_reference(row),
        _top(row),
        _checks(row),
    )


def _join(*clauses: str) -> str:
    return "; ".join(filter(None, clauses))


def _runs(number: float, row: Row) -> str:
    total = int(row.estimate.seeds)
    if number == total:
        return {1: "the only run", 2: "both runs"}.get(total, f"all {total} runs")
    return f"{int(number)} of {total} runs"


def _without_result(row: Row, error: str) -> str:
    if row.states.failed:
        total = int(row.states.failed + row.states.unfinished)
        runs = f"{row.states.failed} of {total} runs"
        if row.states.failed == total:
            runs = "the only run" if total == 1 else f"all {total} runs"
        text = f"failed in {runs}"
        if row.states.unreadable == row.states.failed:
            text = f"no result: {runs} {'is' if row.states.failed == 1 else 'are'} damaged"
        return text + (f": {error}" if error else "")
    return "no run has finished" if row.states.unfinished else "no run has a finite task metric"


def _diverged(row: Row) -> str:
    number = round(row.states.diverged * row.estimate.seeds)
    step = words.count(row.states.diverged_step)
    where = "" if row.gain.learns else _at_rate(row)
    median = " (median)" if number > 1 else ""
    return f"diverged{where} in {_runs(number, row)} at step {step}{median}"


def _learning(row: Row) -> str:
    metric, reached = row.metric, row.target.reached.number
    final = words.metric_value(metric, row.estimate.value)
    if math.isnan(row.target.value):
        return f"learns: from {words.metric_number(metric, row.start)} to {final}"
    target = words.metric_value(metric, row.target.value)
    if reached == 0:
        return f"learns ({final}) but is never at {target}, the target, at two records in a row"
    steps = words.count(row.target.steps)
    if reached == row.estimate.seeds:
        return f"reaches {target} in {steps} steps{' (median)' if reached > 1 else ''}"
    cost = words.count(round(row.target.expected_steps))
    return f"reaches {target} in {_runs(reached, row)}, once per {cost} steps of training"


def _not_learning(row: Row) -> str:
    """Returns the clause of a loss that does not learn, with the most direct cause recorded."""
    if row.gradients.zero_runs:
        where = (
            ""
            if row.gradients.zero_runs == row.estimate.seeds
            else f" in {_runs(row.gradients.zero_runs, row)}"
        )
        return f"never learns: the gradient is exactly zero from the first step{where}"
    metric = row.metric
    start = words.metric_number(metric, row.start)
    end = words.metric_value(metric, row.estimate.value)
    text = f"does not learn{_at_rate(row)} (from {start} to {end})"
    if row.gradients.zero >= MENTION_STEPS:
        share = words.percent(row.gradients.zero)
        return f"{text}: the gradient is exactly zero at {share} % of the steps (median)"
    if row.dead["examples"] >= MOST_EXAMPLES:
        return f"{text}: {words.percent(row.dead['examples'])} % of the examples give no gradient"
    return f"{text}: {dead_units}" if (dead_units := _dead_units(row)) else text


def _at_rate(row: Row) -> str:
    """Returns the learning rates to which a failure to learn is limited."""
    rates = row.rates.rates
    if len(rates) > 1 and not row.rates.learns:
        lowest, highest = words.tick(rates[0]), words.tick(rates[-1])
        return f" at any of {len(rates)} learning rates from {lowest} to {highest}"
    rate = row.rate
    return "" if math.isnan(rate) else f" at learning rate {words.tick(rate)}"


def _below_mean(row: Row) -> str:
    below = words.metric_kind(row.metric) == "r2" and row.estimate.value < 0
    return "still worse than always predicting the mean" if below else ""


def _lost_after_best(row: Row) -> str:
    """Returns the clause on overfitting, if the mean exceeds the margin and its interval 0."""
    lost = row.best_step.lost.value
    if not (lost > row.margin and row.best_step.lost.low > 0):
        return ""
    amount, step = words.metric_difference(row.metric, lost), words.count(row.best_step.step)
    return f"overfits: loses {amount} after its best step, {step} (median)"


def _dead_units(row: Row) -> str:
    share = row.dead["units"]
    text = f"{words.percent(share)} % of the units are dead at the end"
    return text if share >= MENTION_DEAD_UNITS else ""


def _dead_examples(row: Row) -> str:
    share = row.dead["examples"]
    text = f"at the end {words.percent(share)} % of the examples give no gradient"
    return text if share >= MENTION_DEAD_EXAMPLES else ""


def _gradient_steps(row: Row, share: float, text: str) -> str:
    if share >= MENTION_STEPS and row.gradients.zero_runs == 0:
        return f"gradients {text} in {words.percent(share)} % of the steps"
    return ""


def _failing(row: Row) -> str:
    """Returns the clause on runs that neither learn nor diverge, of a loss that learns."""
    number = row.gain.failures.number - round(row.states.diverged * row.estimate.seeds)
    return f"does not learn in {_runs(number, row)}" if number > 0 else ""


def _failed_runs(row: Row) -> str:
    damaged = int(row.states.unreadable)
    failed = int(row.states.failed) - damaged
    return _join(_more(failed, "failed", "failed"), _more(damaged, "is damaged", "are damaged"))


def _more(number: int, of_one: str, of_several: str) -> str:
    if not number:
        return ""
    return f"1 more run {of_one}" if number == 1 else f"{number} more runs {of_several}"


def _checks(row: Row) -> str:
    names = row.checks_failed
    return f"check failed: {names} (see Checks)" if names else ""


def _against_reference(row: Row) -> str:
    """Returns what the joint test allows to say about the row and the reference."""
    reference, pair = row.gain.reference, row.joint.pair
    if pair is None or (pair.verdict == "undecided" and not row.gain.learns):
        return ""
    if pair.seeds == 0:
        return f"has no seed in common with {reference}"
    if pair.verdict == "rates differ":
        failures = f"{row.gain.failures.number} of {row.gain.failures.total} runs"
        others = f"{row.joint.reference_failures} of {row.joint.reference_runs}"
        return f"fails in {failures}, {reference} in {others}: the rates differ, not only the means"
    if pair.verdict == "equivalent":
        width = words.metric_difference(row.metric, row.margin)
        return f"equivalent to {reference} within {width}"
    if pair.verdict == "undecided" and math.isnan(pair.p):
        count = "one paired seed is" if pair.seeds == 1 else f"{pair.seeds} paired seeds are"
        return f"undecided against {reference}: {count} too few, {FEWEST_SEEDS} are needed"
    p = f"joint {words.p_text(pair.p)}"
    if pair.verdict == "undecided":
        return f"undecided against {reference} ({p})"
    amount = words.metric_difference(row.metric, abs(pair.difference))
    return f"{pair.verdict} than {reference} by {amount} ({p})"


def _top(row: Row) -> str:
    """Returns the clause of the row with the best mean: what it cannot be told apart from."""
    if not (row.joint.top and row.joint.may_be_best and row.gain.learns) or row.joint.compared < 2:
        return ""
    best = "highest" if row.higher_is_better else "lowest"
    text = f"{best} {words.metric_label(row.metric)} of {row.joint.compared}"
    others = row.joint.rivals
    if not others:
        return f"{text}, and the only one that may be best"
    names = words.listed(others) if len(others) <= _MOST_NAMES else f"{len(others)} others"
    return f"{text}, not distinguishable from {names}"
