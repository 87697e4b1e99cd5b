"""The first screen states what to do next: from the numbers of the runs, by fixed rules."""

from dataclasses import replace

import pytest
import synthetic_compare as synthetic
from synthetic_compare import Loss, Setting
from synthetic_runs import LOSSES, write_experiment
from synthetic_runs import Loss as TrainedLoss

from landscape.report import audit_agreement
from landscape.report.answer import next_steps
from landscape.report.audit_agreement import AuditRow
from landscape.report.numbers import read_numbers

SETTING = Setting(
    losses=(Loss("reference", 0.95, log_rate=-2.0), Loss("worse", 0.85, log_rate=-3.0)),
    rates=(1e-4, 1e-3, 1e-2, 1e-1),
    seeds=6,
)


def steps(directory, audit_rows=()):
    numbers = read_numbers(directory)
    tuned = numbers.tuned.comparison if numbers.tuned else None
    found = next_steps(numbers.all_results, numbers.shown, audit_rows, tuned)
    return [step.text for step in found]


def test_the_only_loss_that_may_be_best_is_preferred_at_its_rate(tmp_path):
    (step,) = steps(synthetic.write(tmp_path / "x", SETTING))
    assert step == "Prefer reference at learning rate 0.01: no other loss may be best."


def test_a_reference_that_others_equal_is_kept(tmp_path):
    same = Loss("same", 0.95, log_rate=-3.0)
    setting = replace(SETTING, losses=(SETTING.losses[0], same))
    first = steps(synthetic.write(tmp_path / "x", setting))[0]
    assert (
        first == "Keep the reference, reference at learning rate 0.01: no loss is better than it."
    )


def test_another_loss_is_preferred_to_a_reference_that_is_worse(tmp_path):
    losses = (Loss("reference", 0.8), Loss("better", 0.95, log_rate=-2.0))
    first = steps(synthetic.write(tmp_path / "x", replace(SETTING, losses=losses)))[0]
    assert first.startswith("Prefer better at learning rate 0.01")


def test_a_rate_at_the_end_of_its_grid_asks_for_more_rates(tmp_path):
    losses = (SETTING.losses[0], Loss("edge", 0.95, log_rate=-1.0, plateau=0.1))
    texts = steps(synthetic.write(tmp_path / "x", replace(SETTING, losses=losses)))
    assert (
        sum(text.startswith("Try more learning rates for edge (high end)") for text in texts) == 1
    )


@pytest.mark.parametrize(("seeds", "more"), [(2, True), (7, False)])
def test_untuned_losses_are_to_be_tuned_and_few_seeds_are_named(tmp_path, seeds, more):
    losses = (TrainedLoss("a"), TrainedLoss("b", fails=(1,)))
    directory = write_experiment(tmp_path / "x", losses, seeds, with_slices=False)
    (directory / "runs" / "a-0-0" / "status.json").unlink()
    first, second, third, *others = steps(directory)
    assert first.startswith("Repair: 1 run of b failed: ValueError")
    assert second.startswith(f"Wait or continue: 1 of {2 * seeds} runs has not finished.")
    assert third.startswith("Tune before choosing: `landscape compare`")
    assert any("Train with more seeds" in text for text in others) is more


def test_points_that_were_chosen_by_the_numbers_shown_are_to_be_judged_on_other_seeds(tmp_path):
    sweep = {"optimizer.learning_rate": [0.001, 0.01]}
    directory = write_experiment(tmp_path / "x", LOSSES, 6, with_slices=False, sweep=sweep)
    texts = steps(directory)
    assert any(text.startswith("Judge on other seeds") for text in texts)
    assert not any(text.startswith("Tune before choosing") for text in texts)


def test_a_code_of_the_audit_explains_a_loss_that_does_not_learn(tmp_path):
    directory = write_experiment(tmp_path / "x", (TrainedLoss("a"),), 1, with_slices=False)
    dead = AuditRow(
        "a", "untrainable", (("G201", "error", "no gradient"),), "", "", audit_agreement.YES
    )
    lucky = dead._replace(loss="b", agrees="no")
    (step,) = steps(directory, (dead, lucky))
    assert "G201 of its audit explains why: no gradient. `landscape explain G201`" in step
