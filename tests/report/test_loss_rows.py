"""Which runs learn, fail and succeed, relative to the reference."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from landscape.report.loss_rows import LossRow, swept_texts
from landscape.report.stored_run import StoredRun


def row(outcomes, starts=0.1, *, diverged=(), metric="accuracy", higher=True):
    starts = np.broadcast_to(starts, len(outcomes))
    states = ["diverged" if i in diverged else "done" for i in range(len(outcomes))]
    runs = tuple(SimpleNamespace(status=state) for state in states)
    measures = tuple({"outcome": o, "start": s} for o, s in zip(outcomes, starts, strict=True))
    perfect = 1.0 if higher else 0.0
    return LossRow("a", "a", {}, "", metric, higher, runs, runs, measures, perfect)


REFERENCE = row([0.9, 0.9])


@pytest.mark.parametrize(
    ("outcome", "gain", "fails"),
    [(0.9, 1.0, False), (0.5, 0.5, False), (0.19, 0.1125, False), (0.17, 0.0875, True)],
)
def test_a_run_learns_from_a_gain_of_a_tenth(outcome, gain, fails):
    runs = row([outcome])
    assert runs.gains(REFERENCE) == pytest.approx([gain])
    assert runs.failures(REFERENCE).tolist() == [fails] and runs.learns(REFERENCE) is not fails


def test_a_diverged_run_has_gained_nothing_and_failed():
    runs = row([0.9, 0.6], diverged=[1])
    assert runs.gains(REFERENCE).tolist() == [1.0, 0.0]
    assert runs.failures(REFERENCE).tolist() == [False, True]


def test_the_target_is_met_at_two_successive_records_of_a_run_that_does_not_diverge():
    def run(status, values):
        trace = pd.DataFrame({"step": np.arange(len(values)) * 10.0, "accuracy": values})
        return StoredRun("a", "a", 0, {}, status, trace=trace)

    runs = (
        run("done", [0.1, 0.9, 0.7, 0.8, 0.9]),
        run("done", [0.1, 0.2, 0.3, 0.4, 0.9]),
        run("diverged", [0.1, 0.9, 0.9, 0.9, np.nan]),
    )
    lone = LossRow("a", "a", {}, "", "accuracy", True, runs, runs, ({},) * 3)
    assert lone.steps_to_target(0.8).tolist()[0] == 30
    assert np.isnan(lone.steps_to_target(0.8)[1:]).all()
    error = LossRow("a", "a", {}, "", "accuracy", False, runs[:1], runs[:1], ({},))
    assert error.steps_to_target(0.8).tolist() == [20]


def test_a_reference_that_is_stuck_is_no_scale():
    """It gains 1 % of the room; a loss that gains 2 % learns by the room alone."""
    stuck = row([0.109, 0.109])
    assert np.isnan(row([0.9]).gains(stuck)).all() and not stuck.learns(stuck)
    assert row([0.9, 0.12, 0.11]).failures(stuck).tolist() == [False, False, True]


def test_lower_can_be_better():
    reference = row([1.0], 2.0, metric="rmse", higher=False)
    runs = row([1.5, 2.5], 2.0, metric="rmse", higher=False)
    assert runs.gains(reference).tolist() == [0.5, -0.5]
    assert runs.failures(reference).tolist() == [False, True]


def test_swept_values_are_named_by_their_last_word_if_it_is_unambiguous():
    assert swept_texts({"optimizer.learning_rate": 0.1, "losses.a.gamma": 2}) == [
        "learning_rate=0.1",
        "gamma=2",
    ]
    assert swept_texts({"model.name": "mlp", "losses.a.name": "b"}) == [
        "model.name=mlp",
        "losses.a.name=b",
    ]
