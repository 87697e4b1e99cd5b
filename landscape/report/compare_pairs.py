"""All pairs of losses at their tuned points: differences, joint test, verdicts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landscape.compare import verdicts
from landscape.compare.intervals import Estimate
from landscape.compare.joint_test import joint_test
from landscape.compare.verdicts import PairVerdict
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_results import CompareResults
from landscape.report.statistics import resplit_interval

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
    summaries = [run.summary for run in compared.judged.runs]
    pairs = []
    for index, (i, j) in enumerate(test.pairs):
        reverse = judged[i].name == compared.record.reference
        verdict = _REVERSED.get(names[index], names[index]) if reverse else names[index]
        first, second = (j, i) if reverse else (i, j)
        numbers = test.pair(first, second)
        low, high = np.sort(compared.sign * np.array([numbers.low, numbers.high])) + 0.0  # no -0.0
        differences = table[:, first] - table[:, second]
        pairs.append(
            Pair(
                judged[first].name,
                judged[second].name,
                int(np.isfinite(differences).sum()),
                compared.sign * numbers.difference + 0.0,
                float(low),
                float(high),
                numbers.p,
                verdict,
                resplit_interval(differences, summaries),
            )
        )
    pairs.sort(key=lambda pair: pair.other != compared.record.reference)
    return Pairs(tuple(pairs), tuple(judged[index].name for index in best))
