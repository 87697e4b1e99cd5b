"""The stages of a comparison, driven by a made-up landscape whose best rates are known."""

import math

import pytest

from landscape import config
from landscape.errors import UserError
from landscape.sweep.compare_record import compare_record
from landscape.sweep.compared_experiment import RATE, ComparedExperiment
from landscape.sweep.outcomes import FAILED, Outcome, TaskMetric
from landscape.sweep.stages import next_stage

CONFIG = """
dataset: digits
model: {name: mlp, widths: [4]}
optimizer: {name: OPTIMIZER}
losses: [softmax_cross_entropy, brier, focal, zero_one]
steps: 20
"""
METRIC = TaskMetric("accuracy", True)


def compared(folder, *overrides, optimizer="adam"):
    (folder / "few.yaml").write_text(CONFIG.replace("OPTIMIZER", optimizer))
    return ComparedExperiment(config.load(folder / "few.yaml", overrides))


def outcome(run, best, peak=0.9, norm=1.0):
    """An accuracy that falls off by the square of the decades to the best rate."""
    decades = math.log10(run.optimizer.options["learning_rate"] / best[run.loss.label])
    noise = run.seed % 10 / 1e6
    return Outcome("done", 0.1 + (peak - 0.1) * math.exp(-(decades**2)) + noise, 0.1, norm)


def performed(comparison, outcome_of, *, most=20):
    """Performs all stages; returns the names of the stages, and all outcomes."""
    outcomes, names = {}, []
    while (stage := next_stage(comparison, outcomes)) is not None and len(names) < most:
        names.append(stage.name)
        outcomes |= {run.id: outcome_of(run) for run in stage.runs}
    return names, outcomes


def record_of(comparison, outcomes):
    record = compare_record(comparison, outcomes, METRIC)
    return record, {loss.loss: loss for loss in record.losses}


def test_every_loss_is_tuned_at_the_rate_nearest_to_its_best_one(tmp_path):
    comparison = compared(tmp_path)
    best = {"softmax_cross_entropy": 1e-3, "brier": 1e-2, "focal": 2e-4, "zero_one": 1e-3}
    names, outcomes = performed(comparison, lambda run: outcome(run, best))
    assert names == ["own rate", "tuning", "judged"]
    _, losses = record_of(comparison, outcomes)
    for label, rate in best.items():
        grid = [10 ** (-5 + k / 3) for k in range(13)]
        nearest = min(grid, key=lambda point: abs(math.log(point / rate)))
        assert losses[label].tuned_rate == pytest.approx(nearest, rel=1e-3)
        assert len(losses[label].trials) == 13 and losses[label].edge == ""


def test_a_best_rate_beyond_the_grid_extends_it_twice_and_is_then_reported(tmp_path):
    comparison = compared(tmp_path)
    best = {"softmax_cross_entropy": 1e-3, "brier": 0.4, "focal": 1e-6, "zero_one": 1e-30}

    def outcome_of(run):
        if run.loss.label != "zero_one":
            return outcome(run, best)
        return Outcome("done", 0.5 - run.optimizer.options["learning_rate"], 0.1, 1.0)

    names, outcomes = performed(comparison, outcome_of)
    assert names == ["own rate", "tuning", "extension 1", "extension 2", "judged"]
    _, losses = record_of(comparison, outcomes)
    counts = {label: len(loss.trials) for label, loss in losses.items()}
    assert counts == {"softmax_cross_entropy": 13, "brier": 16, "focal": 19, "zero_one": 19}
    assert [loss.edge for loss in losses.values()] == ["", "", "", "low"]
    assert losses["brier"].tuned_rate == pytest.approx(10 ** (-1 + 2 / 3), rel=1e-3)
    assert losses["focal"].grid[0] == pytest.approx(1e-7, rel=1e-3)


def test_a_constant_factor_changes_nothing_under_plain_gradient_descent(tmp_path):
    """A loss with 100 times the gradient is tuned at a hundredth of the rate, with equal gains."""
    comparison = compared(tmp_path, optimizer="sgd")
    best = dict.fromkeys(comparison.labels, 1e-2)
    norms = {"softmax_cross_entropy": 0.7, "brier": 70.0, "focal": 0.007, "zero_one": 0.0}

    def outcome_of(run):
        norm = norms[run.loss.label]
        scaled = {run.loss.label: 1e-2 * 0.7 / (norm or 0.7)}
        return outcome(run, best | scaled, norm=norm)

    _, outcomes = performed(comparison, outcome_of)
    _, losses = record_of(comparison, outcomes)
    assert [loss.factor for loss in losses.values()] == [1.0, 0.01, 100.0, 1.0]
    tuned = [losses[label].tuned_rate for label in ("softmax_cross_entropy", "brier", "focal")]
    assert tuned == pytest.approx([1e-2, 1e-4, 1.0])
    gains = [loss.gain for loss in losses.values()]
    assert gains == pytest.approx([gains[0]] * 4)


def test_a_factor_is_not_applied_if_the_step_does_not_follow_the_gradient(tmp_path):
    comparison = compared(tmp_path)
    best = dict.fromkeys(comparison.labels, 1e-3)
    norms = dict(zip(comparison.labels, (1.0, 100.0, 0.01, 0.0), strict=True))
    _, outcomes = performed(comparison, lambda run: outcome(run, best, norm=norms[run.loss.label]))
    _, losses = record_of(comparison, outcomes)
    assert {loss.factor for loss in losses.values()} == {1.0}


def test_a_loss_with_options_is_tuned_with_the_budget_of_a_loss_without(tmp_path):
    comparison = compared(tmp_path, "losses.focal.gamma=0.5,1,2,4")
    best = dict.fromkeys(comparison.labels, 1e-3)

    def outcome_of(run):
        gamma = run.loss.options.get("gamma", 2.0)
        return outcome(run, best, peak=0.9 - 0.01 * abs(gamma - 1))

    names, outcomes = performed(comparison, outcome_of)
    assert "tolerance" in names
    _, losses = record_of(comparison, outcomes)
    focal = losses["focal"]
    first = [trial for trial in focal.trials if trial.rate in losses["brier"].grid]
    assert len(first) == len(losses["brier"].trials) == 13
    assert len({(trial.rate, str(trial.options)) for trial in first}) == 13
    # The tolerance is read from the whole grid at the tuned options.
    assert [trial.rate for trial in focal.rates] == list(focal.grid)
    assert all(trial.options == focal.tuned_options for trial in focal.rates)


def test_a_loss_that_does_not_learn_is_tuned_at_the_center_and_judged(tmp_path):
    comparison = compared(tmp_path)
    best = dict.fromkeys(comparison.labels, 1e-3)

    def outcome_of(run):
        dead = Outcome("done", 0.1 + 0.001 * (run.seed % 3), 0.1, 0.0)
        return dead if run.loss.label == "zero_one" else outcome(run, best)

    names, outcomes = performed(comparison, outcome_of)
    assert "extension 1" not in names
    _, losses = record_of(comparison, outcomes)
    dead = losses["zero_one"]
    assert (dead.learns, dead.edge, dead.tuned_rate) == (False, "", 1e-3)
    assert len(dead.judged) == 10


def test_a_loss_that_fails_in_every_run_is_reported_and_not_judged(tmp_path):
    comparison = compared(tmp_path)
    best = dict.fromkeys(comparison.labels, 1e-3)
    names, outcomes = performed(
        comparison, lambda run: FAILED if run.loss.label == "brier" else outcome(run, best)
    )
    assert names[-1] == "judged"
    record, losses = record_of(comparison, outcomes)
    assert losses["brier"].problem and math.isnan(losses["brier"].tuned_rate)
    assert not losses["brier"].judged and len(losses["focal"].judged) == 10
    judged = next(stage for stage in record.stages if stage.name == "judged")
    assert not any(name.startswith("brier") for name in judged.runs)


@pytest.mark.parametrize(("failing", "message"), [(True, "failed in every"), (False, "not learn")])
def test_a_reference_that_does_not_learn_is_refused(tmp_path, failing, message):
    comparison = compared(tmp_path, "compare.reference=focal")
    best = dict.fromkeys(comparison.labels, 1e-3)
    dead = FAILED if failing else Outcome("done", 0.1, 0.1, 0.0)
    with pytest.raises(UserError, match=f"`focal` .*{message}"):
        performed(comparison, lambda run: dead if run.loss.label == "focal" else outcome(run, best))


def test_judging_reads_the_tuned_point_and_the_rate_of_the_config_on_fresh_seeds(tmp_path):
    comparison = compared(tmp_path, "optimizer.learning_rate=0.05", "compare.judging_seeds=4")
    best = dict.fromkeys(comparison.labels, 1e-3)
    outcomes = {}
    while (stage := next_stage(comparison, outcomes)) is not None:
        if stage.name == "judged":
            assert {run.seed for run in stage.runs} == {0, 1, 2, 3}
            measured = {run.swept[RATE] for run in stage.runs if run.slices is not None}
            assert measured == {1e-3}
            assert {run.swept[RATE] for run in stage.runs} == {1e-3, 0.05}
        else:
            assert {run.seed for run in stage.runs} == {10_000, 10_001, 10_002}
            assert all(run.slices is None for run in stage.runs)
        outcomes |= {run.id: outcome(run, best) for run in stage.runs}


def test_the_rate_of_the_config_is_judged_once_if_it_is_the_tuned_one(tmp_path):
    comparison = compared(tmp_path, "compare.judging_seeds=2")
    best = dict.fromkeys(comparison.labels, 1e-3)
    _, outcomes = performed(comparison, lambda run: outcome(run, best))
    record, losses = record_of(comparison, outcomes)
    assert losses["brier"].judged == losses["brier"].judged_at_own_rate
    judged = next(stage for stage in record.stages if stage.name == "judged")
    assert len(judged.runs) == 2 * 4


def test_conditions_retune_each_loss_around_its_rate_and_keep_the_unchanged_runs(tmp_path):
    comparison = compared(tmp_path, "compare.robustness={batch_size: [16, 64], depth: [1, 2]}")
    best = dict.fromkeys(comparison.labels, 1e-3)

    def outcome_of(run):
        shift = 3.0 if run.batch_size == 16 else 1.0
        return outcome(run, {label: rate * shift for label, rate in best.items()})

    names, outcomes = performed(comparison, outcome_of)
    assert names[-2:] == ["retuning", "robustness"]
    _, losses = record_of(comparison, outcomes)
    small, usual, shallow, deep = losses["brier"].conditions
    assert small.retuned_rate == pytest.approx(1e-3 * math.sqrt(10), rel=1e-3)
    assert deep.retuned_rate == 1e-3
    # A condition that is that of the config needs no further runs.
    assert usual.runs == shallow.runs == losses["brier"].judged[:3]
    assert [condition.key for condition in (usual, deep)] == ["batch_size", "model.widths"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rate=0.1,0.01", "the config sweeps it"),
        ("model.activation=relu,tanh", "the config sweeps `model.activation`"),
        ("optimizer.learning_rate=0", "found 0"),
    ],
)
def test_a_config_that_cannot_be_tuned_is_refused(tmp_path, override, message):
    with pytest.raises(UserError, match=message):
        compared(tmp_path, override)
