"""Time to target against hand-computed examples."""

import numpy as np
import pytest
from scipy import stats

from landscape.compare.time_to_target import expected_running_time, first_reach, kaplan_meier


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.9, 0.9, 0.1], 10),
        ([0.9, 0.1, 0.8, 0.8], 20),
        ([0.9, 0.1, 0.9, 0.1], None),
        ([0.1, 0.1, 0.1, 0.9], None),
        ([0.9, np.nan, 0.9, 0.9], 20),
        ([np.nan] * 4, None),
    ],
)
def test_the_target_is_reached_at_the_first_of_two_successive_records(values, expected):
    result = first_reach([0, 10, 20, 30], values, 0.8)
    assert np.isnan(result) if expected is None else result == expected


def test_kaplan_meier_on_the_leukemia_trial():
    # Remission of 21 patients under 6-MP in weeks, + for censored (Freireich et al. 1963; estimate
    # as in Cox and Oakes 1984): 6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+
    # 35+.
    times = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    censored = [t in (9, 11, 17, 19, 20, 25, 32, 34, 35) for t in times]
    censored[3] = censored[7] = True
    curve = kaplan_meier(times, censored)
    survival = dict(zip(curve.steps, 1 - curve.share, strict=True))
    expected = {0: 1, 6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for week, share in expected.items():
        assert survival[week] == pytest.approx(share, abs=5e-4)
    assert survival[35] == pytest.approx(0.448, abs=5e-4)


def test_without_censoring_the_curve_is_the_share_of_runs():
    curve = kaplan_meier([30, 10, 20, 20], [False] * 4)
    assert list(curve.steps) == [0, 10, 20, 30]
    assert curve.share == pytest.approx([0, 0.25, 0.75, 1.0])


def test_runs_that_never_arrive_leave_a_plateau():
    curve = kaplan_meier([10, 300, 300, 20], [False, True, True, False])
    assert list(curve.steps) == [0, 10, 20, 300]
    assert curve.share == pytest.approx([0, 0.25, 0.5, 0.5])


@pytest.mark.parametrize("seed", range(10))
def test_the_curve_is_scipys_with_ties_of_runs_that_arrive_and_runs_that_are_censored(seed):
    generator = np.random.default_rng(seed)
    times = generator.integers(1, 8, 20).astype(float)
    censored = generator.random(20) < 0.4
    data = stats.CensoredData(uncensored=times[~censored], right=times[censored])
    expected, curve = stats.ecdf(data).cdf, kaplan_meier(times, censored)
    assert list(curve.steps[1:]) == list(expected.quantiles)
    assert curve.share[1:] == pytest.approx(expected.probabilities, rel=1e-14)


def test_the_curve_stays_at_zero_if_no_run_arrives():
    curve = kaplan_meier([300, 300], [True, True])
    assert list(curve.steps) == [0, 300] and list(curve.share) == [0, 0]
    assert list(kaplan_meier([], []).share) == [0]


def test_the_expected_running_time_counts_the_steps_of_failures():
    assert expected_running_time([100, np.nan, 50, np.nan], 300) == (100 + 300 + 50 + 300) / 2
    assert expected_running_time([100, 400], 300) == 400
    assert expected_running_time([np.nan], 300) == np.inf
    assert np.isnan(expected_running_time([], 300))


def test_the_expected_running_time_is_that_of_restarts():
    # Restarted until it succeeds: geometric, with (1 - p) / p failures before each success.
    p, success, budget = 0.25, 40.0, 100.0
    rng = np.random.default_rng(0)
    failures = rng.geometric(p, size=20_000) - 1
    times = np.where(rng.random(20_000) < p, success, np.nan)
    simulated = np.mean(failures * budget + success)
    assert expected_running_time(times, budget) == pytest.approx(simulated, rel=0.05)
