"""All pairs of losses at their tuned points: differences, joint test, verdicts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landscape.compare import verdicts
from landscape.compare.joint_test import joint_test
from landscape.compare.verdicts import PairVerdict
from landscape.report.compare_measures import LossMeasures
from landscape.report.compare_results import CompareResults
from landscape.report.pair_tests import Pair, paired

_REVERSED: dict[PairVerdict, PairVerdict] = {"worse": "better", "better": "worse"}


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
    outcomes = compared.sign * np.column_stack([loss.outcomes for loss in judged])
    test = joint_test(outcomes)
    failures = [loss.failures.number for loss in judged]
    runs = [loss.failures.total for loss in judged]
    names = verdicts.verdicts(test, compared.record.margin, failures, runs)
    best = verdicts.may_be_best(test, names, failures, runs)
    summaries = [run.summary for run in compared.judged.runs]
    pairs = []
    for (i, j), answer in zip(test.pairs, names, strict=True):
        reverse = judged[i].name == compared.record.reference
        verdict = _REVERSED.get(answer, answer) if reverse else answer
        pair = (j, i) if reverse else (i, j)
        labels = judged[pair[0]].name, judged[pair[1]].name
        pairs.append(paired(test, pair, outcomes, compared.sign, labels, verdict, summaries))
    pairs.sort(key=lambda pair: pair.other != compared.record.reference)
    return Pairs(tuple(pairs), tuple(judged[index].name for index in best))
