"""What may be concluded from a comparison at tuned points, in sentences by fixed rules."""

from collections.abc import Sequence

import numpy as np

from landscape.compare.joint_test import FEWEST_SEEDS
from landscape.report import words
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_pairs import Pair
from landscape.report.compare_text import (
    difference_text,
    interval_text,
    rate,
)
from landscape.report.number_texts import share_text
from landscape.report.tuned_comparison import TunedComparison

_ENDS = {"low": "lowest", "high": "highest"}
_HEADS = {
    "better": "Better than {reference}",
    "equivalent": "Equivalent to {reference} within {margin}",
    "worse": "Worse than {reference}",
    "undecided": "Undecided against {reference}",
}


def conclusions(comparison: TunedComparison) -> list[str]:
    """Returns the conclusions: the losses that may be best, each verdict, and its conditions."""
    return [
        *_progress(comparison),
        *_best(comparison),
        *_against_reference(comparison),
        *_no_scale(comparison),
        *_differing_rates(comparison),
        *_not_learning(comparison),
        *_edges(comparison.losses),
        *_not_judged(comparison.losses),
    ]


def scope(comparison: TunedComparison) -> list[str]:
    """Returns what the conclusions are about: reference, margin, seeds, and their limits."""
    record = comparison.record
    seeds = len(record.judging_seeds)
    margin = difference_text(record.metric, record.margin)
    texts = [
        f"The reference is {record.reference}. Every loss has the learning rate and options that "
        f"were best for it over {len(record.tuning_seeds)} tuning seeds, and is judged by the test "
        f"split on {seeds} other seeds.",
        "All pairs are tested jointly: whole seeds are flipped, and p is the share of flips whose "
        "largest |t| over all pairs reaches that of the pair. Intervals of differences hold "
        f"simultaneously. Losses are equivalent if the interval lies within {margin}.",
        "A p is about this data set: splits of one pool of examples are not independent. The table "
        "of pairs also has intervals with the corrected variance of Nadeau and Bengio (2003).",
    ]
    if seeds < FEWEST_SEEDS:
        texts.append(
            f"With {seeds} judging seeds no p can be below 0.05: {FEWEST_SEEDS} are needed."
        )
    return texts


def _progress(comparison: TunedComparison) -> list[str]:
    if comparison.record.complete:
        return []
    return ["The comparison is not complete: `landscape compare` continues it."]


def _best(comparison: TunedComparison) -> list[str]:
    names, judged = comparison.pairs.may_be_best, comparison.judged
    if len(judged) < 2 or not names:
        return []
    if len(names) == 1:
        return [f"May be best: only {names[0]}, of {len(judged)} losses."]
    record = comparison.record
    sign = 1 if record.higher_is_better else -1
    highest = max(names, key=lambda name: sign * comparison.of(name).estimate.value)
    value = words.metric_value(record.metric, comparison.of(highest).estimate.value)
    count = "all" if len(names) == len(judged) else f"{len(names)} of"
    end = "highest" if record.higher_is_better else "lowest"
    return [
        f"May be best: {words.listed(names)} ({count} {len(judged)} losses). {highest} has the "
        f"{end} mean ({value}), {_ties(comparison, highest, names)}."
    ]


def _ties(comparison: TunedComparison, highest: str, names: Sequence[str]) -> str:
    """Returns how the loss with the highest mean compares with the others that may be best."""
    others = {name: _verdict(comparison, name, highest) for name in names if name != highest}
    equivalent = [name for name, verdict in others.items() if verdict == "equivalent"]
    failing = [name for name, verdict in others.items() if verdict == "rates differ"]
    unclear = [name for name in others if name not in (*equivalent, *failing)]
    return " and ".join(
        ([f"equivalent to {words.listed(equivalent)}"] if equivalent else [])
        + ([f"not distinguishable from {words.listed(unclear)}"] if unclear else [])
        + ([f"with a failure rate other than {words.listed(failing)}"] if failing else [])
    )


def _verdict(comparison: TunedComparison, loss: str, other: str) -> str:
    pairs = comparison.pairs
    pair = pairs.of(loss, other) or pairs.of(other, loss)
    return "" if pair is None else pair.verdict


def _against_reference(comparison: TunedComparison) -> list[str]:
    """Returns a sentence per verdict on the pairs with the reference."""
    record = comparison.record
    margin = difference_text(record.metric, record.margin)
    sentences = []
    for name, head in _HEADS.items():
        pairs = [pair for pair in _with_reference(comparison) if pair.verdict == name]
        texts = [_pair_text(record.metric, pair) for pair in pairs]
        start = head.format(reference=record.reference, margin=margin)
        sentences += [f"{start}: {'; '.join(texts)}."] if texts else []
    return sentences


def _with_reference(comparison: TunedComparison) -> list[Pair]:
    return [pair for pair in comparison.pairs.pairs if pair.other == comparison.record.reference]


def _pair_text(metric: str, pair: Pair) -> str:
    if np.isnan(pair.p):
        return f"{pair.loss} ({pair.seeds} seeds in common, at least {FEWEST_SEEDS} are needed)"
    interval = interval_text(metric, pair.difference, pair.low, pair.high)
    return f"{pair.loss} {interval}, {words.p_text(pair.p)}"


def _no_scale(comparison: TunedComparison) -> list[str]:
    reference = comparison.of(comparison.record.reference)
    if not len(reference.gains) or np.isfinite(reference.gains).any():
        return []
    return [
        f"{reference.name} is not better than untrained on the test split: success and failures, "
        "which are relative to what it gains, are undefined."
    ]


def _differing_rates(comparison: TunedComparison) -> list[str]:
    reference = comparison.of(comparison.record.reference)
    return [
        f"{pair.loss} fails in {share_text(comparison.of(pair.loss).failures)} of its runs, "
        f"{reference.name} in {share_text(reference.failures)}: with failure rates that differ, no "
        "test of means holds, and the rates are the result."
        for pair in _with_reference(comparison)
        if pair.verdict == "rates differ"
    ]


def _not_learning(comparison: TunedComparison) -> list[str]:
    sentences = []
    for loss in comparison.losses:
        if not loss.entry.learns and loss.entry.trials:
            sentences.append(
                f"{loss.name} does not learn: none of its {len(loss.entry.trials)} trials gains "
                "10 % of what the reference gains."
            )
        elif loss.failures.total and loss.failures.number == loss.failures.total:
            sentences.append(
                f"{loss.name} does not learn at learning rate {rate(loss.entry.tuned_rate)} in any "
                f"of its {loss.failures.total} judged runs."
            )
    return sentences


def _edges(losses: Sequence[LossMeasures]) -> list[str]:
    return [
        f"The tuned learning rate of {loss.name} ({rate(loss.entry.tuned_rate)}) is the "
        f"{_ENDS[loss.entry.edge]} of its grid: a {_ENDS[loss.entry.edge].removesuffix('est')}er "
        "one may be better."
        for loss in losses
        if loss.entry.edge
    ]


def _not_judged(losses: Sequence[LossMeasures]) -> list[str]:
    return [
        f"{loss.name} was not judged: {loss.entry.problem}."
        for loss in losses
        if loss.entry.problem
    ]
