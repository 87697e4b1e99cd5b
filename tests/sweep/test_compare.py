"""`landscape compare` from end to end, on a small problem."""

import json
import threading

import numpy as np
import pytest
from helpers.command_line import invoke
from helpers.misbehaving_sweep import result_bytes

from landscape import compare, config, load, run
from landscape.errors import UserError
from landscape.run import preflight
from landscape.run.program_cache import ProgramCache
from landscape.storage import contents, store
from landscape.storage.compare_records import CompareRecord
from landscape.storage.map_records import MapsRecord
from landscape.sweep import map_requests
from landscape.sweep.executors import serial
from landscape.sweep.executors.protocol import Ended
from landscape.sweep.executors.selection import select_executor
from landscape.sweep.session import Began, events, open_session
from landscape.sweep.work import Comparison

pytestmark = pytest.mark.usefixtures("unrendered_figures")

CONFIG = """
dataset: digits
model: {name: mlp, widths: [4]}
losses: [softmax_cross_entropy, {name: brier}]
seeds: 2
steps: 20
batch_size: 32
record_every: 20
slices: {lines: {directions: 1, points: 3}, planes: null}
compare: {rates: [0.001, 0.01, 0.1], tuning_seeds: 2, judging_seeds: 2}
"""


def write(folder, text=CONFIG):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "few.yaml").write_text(text)
    return folder / "few.yaml"


def stages_of(path, out, stop_after=None, stop=None):
    """Performs a comparison; returns the number of runs that ended by stage, and the folder.

    After `stop_after` runs it sets `stop`, as Ctrl-C does, or else ends as if it were killed.
    """
    experiment, counts, name = config.load(path), {}, ""
    spec = select_executor(experiment, "serial", None, None)
    with open_session(experiment, out, work=Comparison(experiment)) as session:
        for event in events(session, spec, stop):
            if isinstance(event, Began):
                name = event.session.name
                counts[name] = 0
            elif isinstance(event, Ended):
                assert event.status == "done"
                counts[name] += 1
                if sum(counts.values()) == stop_after:
                    if stop is None:
                        break
                    stop.set()
    return counts, session.directory


@pytest.fixture(scope="module")
def shared_programs():
    """Returns a function: `serial.ProgramCache` of tests that share their compiled programs."""
    cache = ProgramCache()
    return lambda: cache


@pytest.fixture(scope="module")
def compared(tmp_path_factory, shared_programs):
    path = write(tmp_path_factory.mktemp("compared"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serial, "ProgramCache", shared_programs)
        return path, *stages_of(path, path.parent / "out")


def test_all_stages_are_performed_once_and_listed(compared):
    path, counts, directory = compared
    assert counts["own rate"] == 4 and counts["tuning"] == 8 and counts["judged"] in (4, 8)
    record = store.read_record(directory / "compare.json", CompareRecord)
    assert record.complete and record.reference == "softmax_cross_entropy"
    ids = {name for stage in record.stages for name in stage.runs}
    assert {*json.loads((directory / "plan.json").read_text())} == ids
    assert contents.read(directory).confirms("compare.json")
    assert sum(stages_of(path, path.parent / "out")[0].values()) == 0


def test_judged_runs_at_the_tuned_point_are_measured_and_others_are_not(compared):
    _, _, directory = compared
    record = store.read_record(directory / "compare.json", CompareRecord)
    tuned = {name for loss in record.losses for name in loss.judged}
    sliced = {path.parent.name for path in (directory / "runs").glob("*/slices.npz")}
    assert sliced == tuned and len(tuned) == 4


@pytest.mark.parametrize(("after", "graceful"), [(3, False), (7, True), (13, False)])
def test_a_comparison_that_was_interrupted_gives_the_same_bytes(
    compared, tmp_path, monkeypatch, shared_programs, after, graceful
):
    monkeypatch.setattr(serial, "ProgramCache", shared_programs)
    path, counts, directory = compared
    stop = threading.Event() if graceful else None
    first, _ = stages_of(path, tmp_path / "out", stop_after=after, stop=stop)
    assert not (tmp_path / "out" / "few" / "compare.json").exists()
    rest, resumed = stages_of(path, tmp_path / "out")
    # A run that was under way when the process ended may have been stored as well.
    assert 0 <= sum(counts.values()) - sum(first.values()) - sum(rest.values()) <= 1
    assert result_bytes(resumed) == result_bytes(directory)
    assert (resumed / "compare.json").read_bytes() == (directory / "compare.json").read_bytes()


def test_runs_of_the_command_run_are_used_and_keep_their_measurements(
    tmp_path, monkeypatch, shared_programs
):
    monkeypatch.setattr(serial, "ProgramCache", shared_programs)
    path = write(tmp_path)
    experiment = load(path)
    sweep = run(experiment, tmp_path / "out", tell=lambda line: None)
    before = result_bytes(sweep.directory)
    counts, directory = stages_of(path, tmp_path / "out")
    record = store.read_record(directory / "compare.json", CompareRecord)
    configured = [loss for loss in record.losses if loss.tuned_rate == loss.own_rate]
    assert counts["judged"] == 4 - 2 * len(configured)  # only those at the tuned points
    lines = []
    run(experiment, tmp_path / "out", tell=lines.append)
    assert lines == ["replacing a comparison; `landscape compare` restores it from its runs"]
    after = result_bytes(directory)
    assert {key: after[key] for key in before} == before


def test_the_api_and_the_command_give_the_same_comparison(
    compared, tmp_path, monkeypatch, shared_programs
):
    monkeypatch.setattr(serial, "ProgramCache", shared_programs)
    path, _, directory = compared
    comparison = compare(load(path), tmp_path / "out", tell=lambda line: None)
    stored = store.read_record(directory / "compare.json", CompareRecord)
    assert comparison.record == stored
    tuning = comparison.tuning
    assert len(tuning) == 6 and tuning["tuned"].sum() == 2
    losses = comparison.losses.set_index("loss")
    chosen = tuning[tuning["tuned"]].set_index("loss")["learning_rate"]
    assert losses["tuned_rate"].to_dict() == chosen.to_dict()
    with pytest.raises(UserError, match=r"compare\(\) takes an experiment"):
        compare("few.yaml")


def test_the_command_prints_its_stages_and_its_plan(compared):
    path, counts, _ = compared
    done = invoke("compare", path, "--dry-run", cwd=path.parent)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and all(line.startswith("new      own rate ") for line in lines)
    assert "depend on the outcomes" in done.stderr
    done = invoke("compare", path, "--dry-run", "--out", path.parent / "out", cwd=path.parent)
    assert len(done.stdout.splitlines()) == sum(counts.values())
    done = invoke("compare", path, "--out", path.parent / "out", cwd=path.parent)
    assert done.returncode == 0 and "few, tuning: 8 runs, 0 to do" in done.stderr
    refused = invoke("compare", path, "optimizer.learning_rate=0.1,0.01", cwd=path.parent)
    assert refused.returncode == 2 and "compare.rates" in refused.stderr


def test_run_states_that_all_losses_used_one_rate(tmp_path):
    path = write(tmp_path)
    done = invoke("run", path, "slices=null", "seeds=1", cwd=tmp_path)
    assert done.stderr.count("`landscape compare`") == 1


def test_no_choice_depends_on_the_labels_of_the_test_split(compared, tmp_path, monkeypatch):
    """With wrong test labels, everything but the results of judged runs on the test split stays."""
    path, _, directory = compared
    build = preflight.build_dataset

    def with_wrong_test_labels(run):
        data = build(run)
        wrong = np.roll(data.test.targets, 1)  # as many of each class, which a summary counts
        return data._replace(test=data.test._replace(targets=wrong))

    monkeypatch.setattr(preflight, "build_dataset", with_wrong_test_labels)
    _, changed = stages_of(path, tmp_path / "out")
    assert (changed / "compare.json").read_bytes() == (directory / "compare.json").read_bytes()
    before, after = result_bytes(directory), result_bytes(changed)
    assert before.keys() == after.keys()
    record = store.read_record(directory / "compare.json", CompareRecord)
    judged = {name for loss in record.losses for name in (*loss.judged, *loss.judged_at_own_rate)}
    different = {run_id for run_id, name in before if before[run_id, name] != after[run_id, name]}
    assert different == judged
    for run_id in judged:
        assert before[run_id, "trace.parquet"] == after[run_id, "trace.parquet"]


def test_a_condition_that_does_not_fit_the_data_is_refused_before_any_run(tmp_path):
    regression = CONFIG.replace("digits", "diabetes").replace(
        "[softmax_cross_entropy, {name: brier}]", "[squared_error, huber]"
    )
    path = write(tmp_path, regression)
    done = invoke("compare", path, "--robustness", "label_noise", cwd=tmp_path)
    assert done.returncode == 2 and "label_noise" in done.stderr
    assert not (tmp_path / "runs" / "few").exists()


def test_robustness_and_maps_are_measured_at_the_tuned_points(tmp_path, monkeypatch):
    monkeypatch.setattr(map_requests, "_CELLS", 2)
    path = write(tmp_path)
    overrides = (
        "compare.robustness={initialization: [0.5, 1], label_noise: [0.3]}",
        "compare.maps=true",
        "slices=null",
    )
    comparison = compare(load(path, *overrides), tmp_path / "out", tell=lambda line: None)
    for loss in comparison.record.losses:
        small, unchanged, noisy = loss.conditions
        assert unchanged.runs == loss.judged
        assert len(small.runs) == len(noisy.runs) == 2
        assert {small.retuned_rate, noisy.retuned_rate} <= {
            float(f"{loss.tuned_rate * 10**exponent:.4g}") for exponent in (-0.5, 0, 0.5)
        }
    maps = store.read_record(comparison.directory / "maps.json", MapsRecord).maps
    assert maps.keys() == {"softmax_cross_entropy", "brier"}
    assert maps["brier"].seeds == (10_000, 10_001) and maps["brier"].steps == 20
    assert contents.read(comparison.directory).confirms("maps.json")


SCALED = """
import optax

def hundred(predictions, targets):
    return 100 * optax.softmax_cross_entropy(predictions, targets)
"""


def test_a_loss_times_a_constant_is_the_same_loss_under_plain_gradient_descent(tmp_path):
    (tmp_path / "scaled.py").write_text(SCALED)
    losses = "losses: [softmax_cross_entropy, 'scaled.py:hundred']"
    text = CONFIG.replace("losses: [softmax_cross_entropy, {name: brier}]", losses)
    path = write(tmp_path, text + "optimizer: sgd\n")
    overrides = ("slices=null", "compare.rates=[0.01, 0.03, 0.1]", "compare.tuning_seeds=1")
    comparison = compare(load(path, *overrides), tmp_path / "out", tell=lambda line: None)
    usual, scaled = comparison.record.losses
    assert (usual.factor, scaled.factor) == (1.0, 0.01)
    assert scaled.tuned_rate == pytest.approx(usual.tuned_rate / 100)
    assert scaled.gain == pytest.approx(usual.gain, abs=0.01)
    accuracy = comparison.runs.set_index("run")["accuracy"]
    assert [*accuracy[[*scaled.judged]]] == pytest.approx([*accuracy[[*usual.judged]]], abs=0.01)
