"""The first screen of the page: what may be concluded, and what to do next."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from landscape.compare.joint_test import FEWEST_SEEDS
from landscape.errors import counted, last_line
from landscape.report import audit_agreement, check_results, words
from landscape.report.audit_agreement import AuditRow
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_tables import options_text
from landscape.report.compare_text import rate
from landscape.report.comparison_row import Row
from landscape.report.results import Results, StoredRun
from landscape.report.tuned_comparison import TunedComparison

# More losses than this are counted instead of named.
_MOST_NAMES = 4
# Figures that the first screen shows, as far as there are any; without them, the summary.
FIGURES = ("differences", "tuning_rates")


class NextStep(NamedTuple):
    """What to do next, and the id of the section that says why."""

    text: str
    section: str


def next_steps(
    results: Results,
    rows: Sequence[Row] | None,
    audit_rows: Sequence[AuditRow],
    tuned: TunedComparison | None,
) -> list[NextStep]:
    """Returns what to do next, the most important first: for every reader the same, by rules."""
    steps = list(_incomplete(results))
    if tuned is not None:
        steps += _prefer(tuned)
        steps += _more_rates(tuned.losses)
        steps += _more_seeds(tuned)
    elif rows is not None:  # looks have none
        steps += _tune(results, rows)
    return [*steps, *_explained(audit_rows), *_checks(results)]


def _incomplete(results: Results) -> Iterator[NextStep]:
    """Yields what is missing: runs that failed, are damaged, or have not finished."""
    for status, verb in (("failed", "failed"), ("unreadable", "cannot be read")):
        runs = [run for run in results.runs if run.status == status]
        if runs:
            names = _named(dict.fromkeys(run.loss for run in runs if run.loss))
            reason = next((last_line(run.error) for run in runs if run.error), "")
            of = f" of {names}" if names else ""
            why = f": {reason}" if reason else ""
            yield NextStep(f"Repair: {counted(len(runs), 'run')}{of} {verb}{why}.", "failures")
    unfinished = sum(run.status == "unfinished" for run in results.runs)
    if unfinished:
        verb = "has" if unfinished == 1 else "have"
        yield NextStep(
            f"Wait or continue: {unfinished} of {len(results.runs)} runs {verb} not finished. The "
            "same command continues them; `landscape report DIR --watch` rebuilds this page as "
            "they end.",
            "failures",
        )


def _prefer(tuned: TunedComparison) -> Iterator[NextStep]:
    """Yields the loss to prefer, at its rate.

    It is the reference if that may be best, else of the losses that may be best the one that
    tolerates the widest range of learning rates.
    """
    best = [loss for loss in tuned.losses if loss.name in tuned.pairs.may_be_best]
    if not best or not all(loss.entry.learns for loss in best):
        return
    reference = [loss for loss in best if loss.name == tuned.record.reference]
    if len(best) == 1:
        text = f"Prefer {_at_point(best[0])}: no other loss may be best."
    elif reference:
        text = f"Keep the reference, {_at_point(reference[0])}: no loss is better than it."
    else:
        widest = max(best, key=lambda loss: np.nan_to_num(loss.curve.tolerance.decades, nan=-1))
        text = f"Prefer {_at_point(widest)}: {len(best)} losses may be best"
        if math.isfinite(widest.curve.tolerance.decades):
            decades = f"{widest.curve.tolerance.decades:.2f} decades"
            text += f", and it was seen to tolerate the widest range of learning rates ({decades})"
        text += "."
    yield NextStep(text, "compare")


def _at_point(loss: LossMeasures) -> str:
    options = options_text(loss)
    suffix = f" with {options}" if options else ""
    return f"{loss.name} at learning rate {rate(loss.entry.tuned_rate)}{suffix}"


def _more_rates(losses: Iterable[LossMeasures]) -> Iterator[NextStep]:
    edges = [loss for loss in losses if loss.entry.edge and loss.entry.learns]
    if edges:
        names = _named(f"{loss.name} ({loss.entry.edge} end)" for loss in edges)
        yield NextStep(
            f"Try more learning rates for {names}: the best one is the last of its grid. "
            "`compare: {rates: ...}` in the config takes a list.",
            "compare",
        )


def _more_seeds(tuned: TunedComparison) -> Iterator[NextStep]:
    seeds = len(tuned.record.judging_seeds)
    if seeds < FEWEST_SEEDS:
        yield NextStep(
            f"Judge with more seeds: {seeds} can show no difference, {FEWEST_SEEDS} are needed "
            "(`compare: {judging_seeds: 10}`).",
            "compare",
        )
        return
    reference = tuned.record.reference
    pairs = [pair for pair in tuned.pairs.pairs if pair.other == reference]
    undecided = [pair.loss for pair in pairs if pair.verdict == "undecided"]
    if undecided:
        yield NextStep(
            f"Judge with more than {seeds} seeds to decide between {reference} and "
            f"{_named(undecided)}: more seeds make the intervals narrower.",
            "compare",
        )


def _tune(results: Results, rows: Sequence[Row]) -> Iterator[NextStep]:
    """Yields what a comparison at the rates of the config lacks."""
    if len(results.losses) < 2:
        return
    text = ""
    if len(rows) < len(results.groups):
        text = (
            "Judge on other seeds: the best point of each loss is chosen by the numbers that this "
            "page shows. `landscape compare` tunes each loss and judges it on seeds of their own."
        )
    elif not results.swept:
        text = (
            "Tune before choosing: `landscape compare` finds the learning rate of each loss and "
            "judges all of them on other seeds."
        )
    if text:
        yield NextStep(text, "answer")
    seeds = max(row.estimate.seeds for row in rows)
    if seeds < FEWEST_SEEDS:
        yield NextStep(
            f"Train with more seeds: {counted(seeds, 'seed')} can show no difference, "
            f"{FEWEST_SEEDS} are needed (`seeds: {FEWEST_SEEDS}`).",
            "answer",
        )


def _explained(audit_rows: Sequence[AuditRow]) -> Iterator[NextStep]:
    """Yields the codes of the audit that explain why a loss does not learn."""
    for row in audit_rows:
        if row.verdict == "untrainable" and row.agrees == audit_agreement.YES:
            code, _, message = row.findings[0]
            yield NextStep(
                f"Do not train with {row.loss}: it does not learn, and {code} of its audit "
                f"explains why: {message}. `landscape explain {code}` says what to use instead.",
                "audit",
            )


def _checks(results: Results) -> Iterator[NextStep]:
    """Yields the checks that failed."""
    failed: dict[str, list[StoredRun]] = {}
    for run in results.runs:
        for name in check_results.failed([run]):
            failed.setdefault(name, []).append(run)
    for name, runs in failed.items():
        losses = _named(dict.fromkeys(run.loss for run in runs))
        noun = "look" if results.has_looks else "run"
        yield NextStep(
            f"Read the slices of {losses} with care: the check {name} failed in "
            f"{counted(len(runs), noun)} ({check_results.MEANINGS.get(name, name)}).",
            "checks",
        )


def _named(names: Iterable[str] | Mapping[str, None]) -> str:
    every = list(names)
    if not every:
        return ""
    return words.listed(every) if len(every) <= _MOST_NAMES else f"{len(every)} losses"
