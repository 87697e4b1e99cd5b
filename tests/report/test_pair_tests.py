"""What the joint test concludes about rows, whichever of them is the reference."""

from types import SimpleNamespace

import numpy as np
import pytest

from landscape.report import pair_tests
from landscape.report.loss_rows import LossRow
from landscape.report.pair_tests import joint_results

# Differences of the mean by seed that sum to zero.
NOISE = np.array([-0.05, 0.04, -0.03, 0.05, -0.04, 0.03])


def row(name, outcomes, *, loss=None, higher=True):
    runs = tuple(
        SimpleNamespace(status="done", seed=seed, summary=None) for seed in range(len(outcomes))
    )
    start = 0.1 if higher else 2.0
    measures = tuple({"outcome": outcome, "start": start} for outcome in outcomes)
    metric = "accuracy" if higher else "rmse"
    perfect = 1.0 if higher else 0.0
    return LossRow(name, loss or name, {}, "", metric, higher, runs, runs, measures, perfect)


LEVEL = row("level", [0.9] * 6)
NOISY = row("noisy", 0.9 + NOISE)
NEAR = row("near", 0.905 + NOISE / 100)
WORSE = row("worse", 0.8 + NOISE / 10)
ROWS = (LEVEL, NOISY, NEAR, WORSE)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_verdicts_do_not_depend_on_the_order_of_the_rows(order):
    results = joint_results([ROWS[i] for i in order], LEVEL, 0.01)
    assert {name: values.verdict for name, values in results.items()} == {
        "level": "",
        "noisy": "undecided",
        "near": "equivalent",
        "worse": "worse",
    }
    assert results["worse"].pair.difference == pytest.approx(-0.1)
    ends = results["noisy"].pair.low, results["noisy"].pair.high
    assert ends[0] == pytest.approx(-ends[1]) and ends[0] < -0.03
    assert results["near"].top and results["near"].compared == 4
    assert not results["worse"].may_be_best and results["noisy"].may_be_best


def test_a_larger_error_is_worse_and_its_difference_positive():
    small = row("small", 1.0 + NOISE / 10, higher=False)
    large = row("large", 1.2 + NOISE[::-1] / 10, higher=False)
    large = joint_results([small, large], small, 0.02)["large"]
    assert large.verdict == "worse" and large.pair.difference == pytest.approx(0.2)
    assert 0 < large.pair.low < 0.2 < large.pair.high


def test_rows_without_a_result_are_not_compared():
    empty = row("empty", [np.nan] * 6)
    results = joint_results([LEVEL, empty, WORSE], LEVEL, 0.01)
    assert results["empty"] == pair_tests.NOT_TESTED
    assert results["worse"].compared == 2


def test_of_too_many_rows_the_best_of_each_loss_are_tested(monkeypatch):
    monkeypatch.setattr(pair_tests, "MOST_CELLS", 2**5 * 4)
    second = row("second", 0.7 + NOISE / 10, loss="worse")
    results = joint_results([LEVEL, WORSE, second], LEVEL, 0.01)
    assert results["worse"].verdict == "worse" and results["second"] == pair_tests.NOT_TESTED
    monkeypatch.setattr(pair_tests, "MOST_CELLS", 1)
    results = joint_results([LEVEL, WORSE], LEVEL, 0.01)
    assert results["worse"] == pair_tests.NOT_TESTED
