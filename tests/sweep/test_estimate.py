"""The arithmetic of a cost estimate, with given times."""

import pytest
from helpers.misbehaving_sweep import write_config

from landscape import config
from landscape.run.program_cache import ProgramCache
from landscape.sweep import estimate


def test_an_estimate_extrapolates_from_one_run_per_program(tmp_path, monkeypatch):
    timed_runs = []

    def timed(run, cache):
        timed_runs.append((run.model.options["widths"], run.steps))
        cold = len(timed_runs) % 2 == 1
        return (9.0, 4.0) if cold else (3.0, 1.0)  # seconds of the run, and of training in it

    monkeypatch.setattr(estimate, "_timed", timed)
    overrides = (
        "losses=[brier]",
        "model.widths=[4],[8]",
        "seeds=3",
        "steps=100",
        "record_every=20",
    )
    runs = config.expand(config.load(write_config(tmp_path), overrides))
    all_ids = {run.id for run in runs}
    cost = estimate.estimate_cost(runs, all_ids, ProgramCache())
    assert timed_runs == [([4], 20)] * 2 + [([8], 20)] * 2
    assert cost.compiling == pytest.approx(2 * (9 - 3), abs=0.1)
    # Each run measures for 2 seconds and trains five times as long as the short one.
    assert cost.running == 2 * 3 * (2 + 5 * 1.0)
    # Runs that are trained already are only measured.
    measured = {run.id for run in runs if run.model.options["widths"] == [4]}
    cost = estimate.estimate_cost(runs, all_ids - measured, ProgramCache())
    assert cost.running == 3 * 2 + 3 * (2 + 5 * 1.0)


def test_a_short_run_records_all_checkpoints_that_are_measured(tmp_path):
    overrides = ("losses=[brier]", "seeds=1", "steps=100", "record_every=10", "checkpoints=4")
    (run,) = config.expand(config.load(write_config(tmp_path), overrides))
    assert estimate._few_steps(run) == 40
    assert estimate._few_steps(run.model_copy(update={"steps": 30})) == 30


def test_an_estimate_audits_every_loss_of_a_program(tmp_path, monkeypatch):
    now, audited = [0.0], set()

    class Cache(ProgramCache):
        def audit(self, run):
            if run.loss.label not in audited:  # the real cache audits each loss once
                audited.add(run.loss.label)
                now[0] += 5.0

    monkeypatch.setattr(estimate.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(estimate, "_timed", lambda run, cache: (0.0, 0.0))
    overrides = ("losses=[brier, focal, poly]", "audit=true", "seeds=2")
    runs = config.expand(config.load(write_config(tmp_path), overrides))
    assert estimate.estimate_cost(runs, set(), Cache()).compiling == 3 * 5.0
