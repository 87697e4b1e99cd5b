"""What a config can write can be read: larger files are refused before training."""

import itertools

import numpy as np
import pytest
from helpers.configs import BASE, load

from landscape import config
from landscape.errors import UserError
from landscape.run import stored_sizes
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import array_limits, store
from landscape.storage.curvature_records import (
    CurvaturePoint,
    CurvatureRecord,
    DensityRecord,
    EstimateRecord,
    LayerTraceRecord,
    OperatorRecord,
)
from landscape.storage.records import CrossRunRecord, InterpolationRecord, SolutionRecord
from landscape.storage.safe_reading import MOST_ARRAY_BYTES

SMALL = BASE.replace("digits", "wine").replace("mlp", "linear") + "seeds: 1\nslices: null\n"
SETS = ", ".join(f"{{label: p{n}, points: [999, 999], draws: 1}}" for n in range(5))
LONG = -1.2345678901234567e-300  # as many characters as a number has


@pytest.mark.parametrize(
    ("overrides", "file"),
    [
        (["steps=999999", "record_every=1", "metrics=[accuracy]", "batch_size=1"], None),
        (["slices={lines: {points: 99999}, planes: null}"], None),
        (
            [f"slices={{at: [trained, initial], planes: [{SETS}]}}"],
            "slices.npz would have about 1.3 GB",
        ),
        (
            ["curvature={checkpoints: true}", "checkpoints=9000", "steps=9000", "record_every=1"],
            "curvature.json would have about ",
        ),
    ],
)
def test_a_run_with_too_large_files_is_refused_before_it_is_trained(tmp_path, overrides, file):
    (run,) = config.expand(load(tmp_path, SMALL, "losses=[brier]", *overrides))
    if file is None:
        stored_sizes.check_run(run, layers=100)
        return
    with pytest.raises(UserError) as caught:
        prepare([run], ProgramCache())
    assert file in str(caught.value) and caught.value.hint


def test_the_slices_of_a_foreign_config_are_bounded(tmp_path):
    text = SMALL.replace("slices: null", f"slices: {{planes: [{SETS}]}}")
    (run,) = config.expand(load(tmp_path, text, "losses=[brier]"))
    assert array_limits.most_slice_bytes(run) == MOST_ARRAY_BYTES


def test_the_estimate_for_curvature_is_a_bound_for_the_written_record(tmp_path):
    text = SMALL + "checkpoints: 3\ncurvature: {checkpoints: true, at: [trained, initial]}\n"
    (run,) = config.expand(load(tmp_path, text, "losses=[brier]"))
    column = (LONG,) * 200
    estimate = EstimateRecord(value=LONG, error=LONG)
    layers = {
        f"layer/{n}/weight": LayerTraceRecord(value=LONG, error=LONG, parameters=10**9)
        for n in range(30)
    }
    ends = (LONG,) * run.curvature.eigenvalues
    density = DensityRecord(eigenvalue=column, mean=column, low=column, high=column, width=LONG)
    operator = OperatorRecord(
        ends, ends, estimate, estimate, density, ends, ends, iterations=60, layers=layers
    )
    point = CurvaturePoint("checkpoint", 10**9, 10**9, LONG, LONG, LONG, {"hessian": operator})
    size = len(store.record_bytes(CurvatureRecord(points=(point,) * 5)))
    assert size <= stored_sizes.curvature_bytes(run, layers=30) <= 3 * size


@pytest.mark.parametrize(
    ("losses", "kinds"), [(True, ()), (False, ("seeds",)), (True, ("losses", "seeds"))]
)
def test_the_estimate_across_runs_is_a_bound_for_the_written_record(tmp_path, losses, kinds):
    names = [f"{{name: focal, gamma: {gamma}, label: g{gamma}}}" for gamma in range(5)]
    experiment = load(
        tmp_path,
        SMALL,
        f"losses=[{', '.join(names)}]",
        "seeds=3",
        f"across={{losses: {str(losses).lower()}, interpolations: [{', '.join(kinds)}]}}",
    )
    runs = config.expand(experiment)
    by_seed = [[run for run in runs if run.seed == seed] for seed in range(3)]
    solutions = [
        SolutionRecord(
            run=run.id, seed=run.seed, metric=LONG, loss=run.loss.label,
            risks={other.id: LONG for other in group}, initial={o.id: LONG for o in group},
        )
        for group in by_seed
        for run in group
    ]  # fmt: skip
    pairs = [pair for group in by_seed for pair in itertools.combinations(group, 2)]
    pairs = pairs if "losses" in kinds else []
    for first, second in itertools.pairwise(by_seed):
        pairs += zip(first, second, strict=True) if "seeds" in kinds else []
    column = (LONG,) * experiment.across.points
    lines = [
        InterpolationRecord(
            kind="losses", from_run=a.id, to_run=b.id, coordinates=column, metric=column,
            risks={a.id: column, b.id: column}, drops={a.id: LONG, b.id: LONG},
            from_loss=a.loss.label, to_loss=b.loss.label, from_seed=a.seed, to_seed=b.seed,
        )
        for a, b in pairs
    ]  # fmt: skip
    record = CrossRunRecord("accuracy", tuple(solutions) if losses else (), tuple(lines))
    size = len(store.record_bytes(record))
    assert size <= stored_sizes.across_bytes(experiment.across, runs) <= 4 * size


def test_measurements_across_too_many_runs_are_refused(tmp_path):
    names = [f"{{name: focal, gamma: {gamma:.2f}}}" for gamma in np.linspace(1, 4, 30)]
    across = "across={interpolations: [losses], points: 9999}"
    experiment = load(tmp_path, SMALL, f"losses=[{', '.join(names)}]", across)
    runs = config.expand(experiment)
    with pytest.raises(UserError, match=r"across\.json would have about .* at most 268\.4 MB"):
        stored_sizes.check_across(experiment.across, runs)
    stored_sizes.check_across(experiment.across, runs[:10])
