"""All pairs of losses at their tuned points: differences, joint test, verdicts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landscape.compare import intervals, verdicts
from landscape.compare.intervals import Estimate
from landscape.compare.joint_test import joint_test
from landscape.compare.verdicts import PairVerdict
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_results import Array, CompareResults

_REVERSED: dict[PairVerdict, PairVerdict] = {"worse": "better", "better": "worse"}


class Pair(NamedTuple):
    """Two losses and the mean difference of their outcomes, `loss` minus `other`, by seed.

    `low` and `high` are the ends of the simultaneous 95 % interval, `p` the joint p of all pairs,
    `corrected` the interval of Nadeau and Bengio; all are NaN with too few seeds. `verdict` is
    about `loss` relative to `other`.
    """

    loss: str
    other: str
    seeds: int
    difference: float
    low: float
    high: float
    p: float
    verdict: PairVerdict
    corrected: Estimate


class Pairs(NamedTuple):
    """All pairs, those with the reference first, and the losses that may be best."""

    pairs: tuple[Pair, ...]
    may_be_best: tuple[str, ...]

    def of(self, loss: str, other: str) -> Pair | None:
        """Returns the pair of a loss with the reference or with a loss listed after it."""
        return next((pair for pair in self.pairs if (pair.loss, pair.other) == (loss, other)), None)


def compare_pairs(compared: CompareResults, losses: Sequence[LossMeasures]) -> Pairs:
    """Returns the joint comparison of the judged losses; `losses` are their numbers."""
    judged = [loss for loss in losses if len(loss.outcomes)]
    if not judged:
        return Pairs((), ())
    table = np.column_stack([loss.outcomes for loss in judged])
    test = joint_test(compared.sign * table)
    failures = [loss.failures.number for loss in judged]
    runs = [loss.failures.total for loss in judged]
    names = verdicts.verdicts(test, compared.record.margin, failures, runs)
    best = verdicts.may_be_best(test, names, failures, runs)
    sizes = split_sizes(compared)
    pairs = []
    for index, (i, j) in enumerate(test.pairs):
        reverse = judged[i].name == compared.record.reference
        verdict = _REVERSED.get(names[index], names[index]) if reverse else names[index]
        first, second = (j, i) if reverse else (i, j)
        ends = np.array([test.low[index], test.high[index]])
        ends = np.sort(compared.sign * (-ends if reverse else ends)) + 0.0  # no -0.0
        differences = table[:, first] - table[:, second]
        pairs.append(
            Pair(
                judged[first].name,
                judged[second].name,
                int(np.isfinite(differences).sum()),
                float(compared.sign * test.differences[index] * (-1 if reverse else 1)) + 0.0,
                float(ends[0]),
                float(ends[1]),
                float(test.p[index]),
                verdict,
                _corrected(differences, sizes),
            )
        )
    pairs.sort(key=lambda pair: pair.other != compared.record.reference)
    return Pairs(tuple(pairs), tuple(judged[index].name for index in best))


def split_sizes(compared: CompareResults) -> tuple[int, int] | None:
    """Returns the numbers of test and of training examples; None if a judged run lacks them."""
    summaries = [run.summary for run in compared.judged.runs if run.summary is not None]
    for summary in summaries:
        if summary.test_examples and summary.training_examples:
            return summary.test_examples, summary.training_examples
    return None


def _corrected(differences: Array, sizes: tuple[int, int] | None) -> Estimate:
    if sizes is None:
        return Estimate(np.nan, np.nan, np.nan)
    return intervals.corrected_interval(differences, *sizes)
