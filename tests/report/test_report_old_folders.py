"""Folders that revision 6aebe74 wrote: read as today's, and as complete.

The archive holds three small experiments with their configs, and the tables of their reports. Paths
in it were made neutral.
"""

import tarfile
from pathlib import Path

import pandas as pd
import pytest
from helpers.in_process_runs import planned_actions

from landscape import config
from landscape.report import results
from landscape.report.assemble import build
from landscape.storage import store
from landscape.storage.curvature_records import OmittedOperator
from landscape.sweep.run_states import run_states

pytestmark = pytest.mark.usefixtures("unrendered_figures")

ARCHIVE = Path(__file__).parent.parent / "data" / "revision_6aebe74.tar.xz"
NAMES = ("measured", "between", "ended")
# Columns of sentences, which are worded anew, and of statistics that have other definitions now.
CHANGED = {"finding", "findings", "note", "training", "message"}
CHANGED |= {"value", "low", "high", "gain", "best", "pairs", "difference", "p_value"}
CHANGED |= {"target", "reached", "reached_runs", "steps_to_target"}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for name in NAMES:
        build(folder / "revision_6aebe74" / name)
    return folder / "revision_6aebe74"


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_hold_the_numbers_of_the_old_report(old, name):
    tables = sorted((old / "reports" / name).glob("*.csv"))
    assert len(tables) >= 4
    for path in tables:
        folder = old / name / "report"
        new = folder / path.name if path.name == "results.csv" else folder / "tables" / path.name
        before, after = pd.read_csv(path), pd.read_csv(new)
        assert set(before.columns) - {"best"} <= set(after.columns), path
        columns = [column for column in before.columns if column not in CHANGED]
        pd.testing.assert_frame_equal(before[columns], after[columns], check_dtype=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_comparison_has_the_means_of_the_old_outcomes(old, name):
    runs = pd.read_csv(old / "reports" / name / "results.csv")
    rows = pd.read_csv(old / name / "report" / "tables" / "comparison.csv").set_index("loss")
    for loss, outcomes in runs.groupby("loss")["outcome"]:
        assert rows["value"][loss] == pytest.approx(outcomes.mean(), nan_ok=True)


def test_every_file_of_a_run_is_read(old):
    (run,) = results.read(old / "measured").runs
    assert (run.status, run.loss, run.seed, run.problem) == ("done", "Cauchy", 0, "")
    assert run.outcome("r2") == 0.23345845937728882 == run.last("r2")
    assert (run.judged, run.config.judged, run.config.stop) == (False, False, "last")
    assert (run.summary.best_step, run.summary.baselines) == (None, {})
    assert run.audit.verdict == "trainable"
    assert run.audit.properties["range"].value == [0.0, float("inf")]
    assert len(run.audit.shapes.lines) == 3
    places = [point.place for point in run.curvature.points]
    assert places == ["trained", "checkpoint", "checkpoint"]
    hessian = run.curvature.at("trained").operators["hessian"]
    assert hessian.largest[0] == 0.5273547768592834
    omitted = run.curvature.at("trained").operators["gauss_newton"]
    assert omitted == OmittedOperator("the loss is not convex in the prediction")
    undecided = [check for check in run.checks if check.passed is None]
    assert [check.name for check in undecided] == ["mean_curvature"]
    assert (run.meta.versions["jax"], run.meta.trained_together) == ("0.10.2", 1)
    assert run.config.slices.plane_labels() == ["trajectory \N{MULTIPLICATION SIGN} random"]


def test_measurements_across_runs_are_read(old):
    across = results.read(old / "between").across
    assert (len(across.solutions), len(across.interpolations), across.problems) == (4, 4, ())
    assert across.metric == "r2"


def test_runs_that_ended_early_keep_their_states(old):
    states = {name: state.status for name, state in run_states(old / "ended", False).items()}
    assert sorted(states.values()) == ["diverged", "failed"]
    (failed,) = (name for name, status in states.items() if status == "failed")
    assert store.why_failed(store.run_folder(old / "ended", failed)).endswith("the fuse blew")


@pytest.mark.parametrize("name", NAMES)
def test_runs_of_two_splits_are_not_those_of_three(old, name):
    """They were trained on the examples that are now the validation split."""
    runs = config.expand(config.load(old / f"{name}.yaml"))
    assert planned_actions(runs, old / name) == {run.id: "new" for run in runs}
