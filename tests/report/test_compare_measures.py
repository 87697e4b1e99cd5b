"""The numbers of a comparison at tuned points against closed forms and plain loops."""

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic_compare as synthetic
from synthetic_compare import METRIC, OWN_RATE, START, Loss, Setting

from landscape.config.judging import RESERVED
from landscape.report import compare_display, compare_results, compare_tables, tuned_comparison
from landscape.report.compare_conditions import performance_profiles
from landscape.report.compare_results import CompareResults

RATES = tuple(10.0 ** (-4 + i / 3) for i in range(10))
SETTING = Setting(
    losses=(
        Loss("reference", 0.96),
        Loss("close", 0.96, plateau=2 / 3, speed=35),
        Loss("low", 0.85, log_rate=-8 / 3, plateau=0.0, slope=1.0),
        Loss("edge", 0.95, log_rate=-1.0, slope=1.0),
        Loss("unstable", 0.95, log_rate=-3.0, diverges=(1, 4, 6), diverges_above=0.03),
        Loss("dead", START),
    ),
    rates=RATES,
    condition_seeds=8,
    axes={"label_noise": (0.0, 0.3), "batch_size": (16, 64)},
    retuned=("label_noise",),
)
TARGET = 0.9


def joined(setting: Setting) -> CompareResults:
    return compare_results.join(*synthetic.comparison(setting))


@pytest.fixture(scope="module")
def compared():
    return joined(SETTING)


@pytest.fixture(scope="module")
def comparison(compared):
    return tuned_comparison.measure(compared, TARGET)


def test_no_metric_can_be_named_like_a_heading_of_the_terminal(comparison):
    headings = {name.replace(" ", "_") for name in compare_display.display(comparison)}
    assert {name for name in headings if "%" not in name} <= RESERVED


def final(compared, names):
    """The last metric of each run, that of the untrained model if it diverged."""
    runs = [compared.runs[name] for name in names]
    return np.array([r.trace[METRIC].iloc[-1 if r.status == "done" else 0] for r in runs])


def wilson(successes, total):
    """Wilson's interval in closed form."""
    z, share = 1.959963984540054, successes / total
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return center - half, center + half


def test_the_tolerance_of_a_trapezoid_is_known():
    losses = tuple(replace(loss, noise=0.0) for loss in SETTING.losses)
    measured = tuned_comparison.measure(joined(replace(SETTING, losses=losses, axes={})), TARGET)
    for loss in losses[:2]:
        expected = 2 * (loss.plateau + 0.05 * loss.slope)
        tolerance = measured.of(loss.name).curve.tolerance
        assert tolerance.decades == pytest.approx(expected, abs=1e-9)
        center = np.log10(tolerance.low_rate * tolerance.high_rate) / 2
        assert center == pytest.approx(loss.log_rate, abs=1e-9)
        assert not tolerance.leaves_low and not tolerance.leaves_high
    edge = measured.of("edge").curve.tolerance
    assert edge.leaves_high and not edge.leaves_low and edge.high_rate == pytest.approx(RATES[-1])
    assert np.isnan(measured.of("dead").curve.tolerance.decades)


def test_the_best_of_k_is_the_mean_over_all_draws(comparison, compared):
    for loss in comparison.losses:
        values = [final(compared, trial.runs).mean() for trial in loss.entry.trials]
        pairs = itertools.product(values, repeat=2)
        assert loss.best_of[0] == pytest.approx(np.mean(values))
        assert loss.best_of[1] == pytest.approx(np.mean([max(pair) for pair in pairs]))


def test_a_run_that_stays_at_a_high_start_fails():
    record, results = synthetic.comparison(Setting((Loss("reference", 0.96), Loss("dead", START))))
    lucky = [replace(run, trace=run.trace.copy()) for run in results.runs]
    for run in lucky:
        if run.loss == "dead" and run.seed in (1, 2):
            run.trace[METRIC] = 0.3  # 23 % of the gain of the reference, without training
    joined_runs = compare_results.join(record, replace(results, runs=tuple(lucky)))
    measured = tuned_comparison.measure(joined_runs, TARGET)
    assert measured.of("dead").failures[:2] == (10, 10)
    assert [pair.verdict for pair in measured.pairs.pairs] == ["worse"]


def test_trials_that_raise_count_as_untrained():
    losses = (Loss("reference", 0.96, noise=0.0), Loss("raises", 0.96, noise=0.0))
    record, results = synthetic.comparison(Setting(losses, RATES))
    high = {name for trial in record.losses[1].trials[7:] for name in trial.runs}
    runs = tuple(
        replace(run, status="failed", trace=run.trace[:0]) if run.name in high else run
        for run in results.runs
    )
    measured = tuned_comparison.measure(
        compare_results.join(record, replace(results, runs=runs)), TARGET
    )
    whole, part = measured.losses
    values = [START + (0.96 - START) * losses[1].gain(rate) for rate in RATES]
    values[7:] = [START] * 3
    assert part.best_of[0] == pytest.approx(np.mean(values), abs=1e-3)
    assert part.grid_success.total == whole.grid_success.total == 30
    # The rate after 0.01 fails, so the interval ends on the line from 0.96 down to the start.
    tolerance = part.curve.tolerance
    assert np.log10(tolerance.high_rate) == pytest.approx(-2 + 0.05 / 3, abs=1e-3)
    assert tolerance.low_rate == pytest.approx(whole.curve.tolerance.low_rate)
    assert not tolerance.leaves_high


def test_without_a_target_no_run_is_late(compared):
    for loss in tuned_comparison.measure(compared, np.nan).losses:
        assert loss.reached == (0, 0) and np.isnan(loss.running_time)


def test_the_best_step_counts_where_the_config_stops_there(compared):
    run = next(iter(compared.runs.values()))
    config = SimpleNamespace(stop="best")
    best = replace(run, config=config, summary=replace(run.summary, best={METRIC: 0.99}))
    changed = replace(compared, runs={run.name: best})
    assert changed.evaluations([run.name]) == [0.99]
    assert compared.evaluations([run.name]) == [run.trace[METRIC].iloc[-1]]


def test_success_and_failure_count_runs_by_their_gain(comparison, compared):
    reference = final(compared, comparison.of("reference").entry.judged).mean()
    ends = dict.fromkeys(("success", "failures"), 0)
    for loss in comparison.losses:
        outcomes = final(compared, loss.entry.judged)
        gains = (outcomes - START) / (reference - START)
        np.testing.assert_allclose(loss.gains, gains, atol=1e-12)
        assert loss.success[:2] == ((gains >= 0.95).sum(), 10)
        assert loss.failures[:2] == ((gains < 0.1).sum(), 10)
        for name in ends:
            share = getattr(loss, name)
            assert share.interval[1:] == pytest.approx(wilson(*share[:2]), abs=1e-12)
    assert comparison.of("unstable").failures.number == 3
    assert comparison.of("dead").failures.number == 10


def test_success_over_the_grid_uses_the_evaluation_split(comparison, compared):
    for loss in comparison.losses:
        values = np.array([final(compared, trial.runs) for trial in loss.entry.trials])
        gains = (values - START) / (compared.record.reference_value - START)
        assert loss.grid_success[:2] == ((gains >= 0.95).sum(), values.size)


def test_the_running_time_spends_the_steps_of_failures(comparison, compared):
    for loss in comparison.losses:
        spent, reached = 0.0, 0
        for name in loss.entry.judged:
            run = compared.runs[name]
            above = (run.trace[METRIC] >= TARGET).to_numpy()
            first = [i for i in range(len(above) - 1) if above[i] and above[i + 1]]
            arrived = bool(first) and run.status == "done"
            reached += arrived
            spent += run.trace["step"][first[0]] if arrived else synthetic.STEPS
        assert loss.reached[:2] == (reached, 10)
        expected = spent / reached if reached else np.inf
        assert loss.running_time == pytest.approx(expected)


def test_a_pair_is_the_loss_minus_the_reference(comparison, compared):
    record = comparison.record
    outcomes = {loss.name: final(compared, loss.entry.judged) for loss in comparison.losses}
    assert [pair.other for pair in comparison.pairs.pairs[:5]] == [record.reference] * 5
    assert len(comparison.pairs.pairs) == 15
    for pair in comparison.pairs.pairs:
        difference = (outcomes[pair.loss] - outcomes[pair.other]).mean()
        assert pair.difference == pytest.approx(difference, abs=1e-12)
        assert pair.low <= pair.difference <= pair.high
    verdicts = {pair.loss: pair.verdict for pair in comparison.pairs.pairs[:5]}
    assert verdicts["close"] == "equivalent" and verdicts["low"] == "worse"
    assert verdicts["unstable"] == "rates differ"
    swapped = {(pair.loss, pair.other): pair.verdict for pair in comparison.pairs.pairs}
    assert swapped["close", "low"] == "better"
    assert "low" not in comparison.pairs.may_be_best and "dead" not in comparison.pairs.may_be_best


def _lower_is_better(run):
    summary = replace(run.summary, higher_is_better={METRIC: False})
    trace = run.trace.assign(**{METRIC: 1 - run.trace[METRIC]})
    return replace(run, trace=trace, summary=summary)


def test_an_error_metric_gives_the_same_conclusions(comparison):
    record, results = synthetic.comparison(SETTING)
    mirrored = tuned_comparison.measure(
        compare_results.join(
            replace(record, higher_is_better=False, reference_value=1 - record.reference_value),
            replace(
                results,
                higher_is_better=False,
                runs=tuple(map(_lower_is_better, results.runs)),
            ),
        ),
        1 - TARGET,
    )
    assert mirrored.pairs.may_be_best == comparison.pairs.may_be_best
    for pair, other in zip(comparison.pairs.pairs, mirrored.pairs.pairs, strict=True):
        assert pair.verdict == other.verdict and pair.p == pytest.approx(other.p)
        assert (-other.high, -other.low) == pytest.approx((pair.low, pair.high))
    for loss, other in zip(comparison.losses, mirrored.losses, strict=True):
        assert other.success == loss.success and other.failures == loss.failures
        assert other.running_time == loss.running_time
        np.testing.assert_allclose(other.best_of, 1 - np.array(loss.best_of))
        assert other.curve.tolerance.decades == pytest.approx(
            loss.curve.tolerance.decades, nan_ok=True
        )


def test_gains_under_a_condition_are_relative_to_the_reference_under_it():
    noisy = "label_noise 0.3"
    losses = (
        Loss("reference", 0.96, loses={noisy: 0.5}, noise=0.0),
        Loss("robust", 0.9, loses={noisy: 0.1}, noise=0.0),
    )
    measured = tuned_comparison.measure(joined(replace(SETTING, losses=losses)), TARGET)
    gains = {(c.loss, c.axis, c.value): c.tuned.gain for c in measured.cells}
    expected = 0.9 * (0.9 - START) / (0.5 * (0.96 - START))
    assert gains["robust", "label_noise", 0.3] == pytest.approx(expected)
    assert gains["reference", "label_noise", 0.3] == pytest.approx(1)
    assert gains["robust", "label_noise", 0.0] == pytest.approx((0.9 - START) / (0.96 - START))
    retuned = {(c.loss, c.axis, c.value): c.retuned is not None for c in measured.cells}
    assert retuned == {key: key[1:] == ("label_noise", 0.3) for key in gains}
    unchanged = {(c.axis, c.value) for c in measured.cells if c.unchanged}
    assert unchanged == {("label_noise", 0.0), ("batch_size", 64)}


def test_the_unchanged_condition_counts_once_in_the_profiles(comparison, compared):
    profiles = performance_profiles(compared, None)
    assert profiles.conditions == ("unchanged", "label_noise 0.3", "batch_size 16")
    assert profiles.scores[profiles.losses.index("dead")] == 0
    best = profiles.times.min(axis=0)
    for row, score in zip(profiles.times, profiles.scores, strict=True):
        grid = np.linspace(1, 4, 300_001)
        shares = np.mean([grid >= t / b for t, b in zip(row, best, strict=True)], axis=0)
        assert score == pytest.approx(shares[:-1].mean(), abs=1e-4)


def test_runs_that_failed_count_and_unfinished_ones_do_not():
    record, results = synthetic.comparison(replace(SETTING, losses=SETTING.losses[:2], axes={}))
    names = record.losses[1].judged
    changed = {names[0]: "failed", names[1]: "unfinished", names[2]: "unreadable"}
    runs = tuple(replace(run, status=changed.get(run.name, run.status)) for run in results.runs)
    measured = tuned_comparison.measure(
        compare_results.join(record, replace(results, runs=runs)), TARGET
    )
    close = measured.of("close")
    assert close.failures[:2] == (1, 8) and close.success[:2] == (7, 8)
    assert np.isfinite(close.outcomes).sum() == 7
    assert measured.pairs.pairs[0].seeds == 7


def test_the_table_of_losses_holds_the_numbers_of_the_runs(comparison, compared):
    tables = {table.name: table for table in compare_tables.report_tables(comparison)}
    table = tables["tuning"].rows.set_index("loss")
    own = final(compared, comparison.of("close").entry.judged_at_own_rate)
    assert table.loc["close", "own_value"] == pytest.approx(own.mean())
    assert table.loc["close", "own_rate"] == OWN_RATE
    assert list(table["trials"]) == [10] * 6
    assert table.loc["edge", "edge"] == "high" and table.loc["edge", "leaves_grid"] == "high"
    assert tuple(table.index[table["may_be_best"]]) == comparison.pairs.may_be_best
    assert tables["tuning"].texts["against reference"].iloc[-1] == "does not learn"
    assert list(tables) == ["tuning", "pairs", "robustness"]
