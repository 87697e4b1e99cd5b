"""Runs are judged on the test split once, after every choice."""

import json

import numpy as np
import pytest
from helpers.in_process_runs import ended_runs, planned_actions
from sklearn import metrics as reference

from landscape import config
from landscape.parts.datasets.images import digits
from landscape.report import notes, results
from landscape.report.comparison import compare
from landscape.run import perform as run_module
from landscape.run.plan import plan
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import array_files, experiment_folder, store

CONFIG = """
dataset: digits
model: {name: mlp, widths: [8], activation: relu}
optimizer: {name: adam, learning_rate: 0.2}
losses: [softmax_cross_entropy]
seeds: [3]
steps: 40
batch_size: 32
record_every: 5
checkpoints: 9
slices: null
"""
TRAINING = ("trace.parquet", "params.safetensors", "checkpoints.safetensors", "splits.npz")


def performed(folder, text=CONFIG, *overrides, judged=True):
    folder.mkdir(exist_ok=True)
    (folder / "experiment.yaml").write_text(text)
    runs = config.expand(config.load(folder / "experiment.yaml", overrides), judged=judged)
    return measured(runs, folder)


def measured(runs, folder):
    cache = ProgramCache()
    prepare(runs, cache)
    ((run, status, _),) = ended_runs(runs, folder, cache)
    run_folder = store.run_folder(folder, run.id)
    assert status in ("done", "diverged"), store.read_failure(run_folder)
    return run, run_folder, json.loads((run_folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return performed(tmp_path_factory.mktemp("judged"))


def predicted(folder, at, split):
    """The labels that the stored parameters predict, in NumPy."""
    tensors = array_files.read_params(folder)
    first, bias, out, last = (
        tensors[f"{at}/{name}"].astype(float)
        for name in ("layers/0/weight", "layers/0/bias", "output/weight", "output/bias")
    )
    inputs = split.inputs.reshape(len(split.targets), -1).astype(float)
    return (np.maximum(inputs @ first.T + bias, 0) @ out.T + last).argmax(axis=1)


def test_the_test_metrics_are_those_of_the_stored_parameters(judged):
    _, folder, summary = judged
    test = digits(3).test
    for key, at in (("test", "trained"), ("test_at_best", "best"), ("test_initial", "initial")):
        labels = predicted(folder, at, test)
        accuracy = reference.accuracy_score(test.targets, labels)
        f1 = reference.f1_score(test.targets, labels, average="macro", zero_division=0)
        assert summary[key] == pytest.approx({"accuracy": accuracy, "f1": f1}, rel=1e-5)
    assert summary["test"] != summary["test_at_best"]


def test_the_best_step_has_the_best_metric_on_the_validation_split(judged):
    _, folder, summary = judged
    trace = array_files.read_trace(folder)
    row = int(trace["accuracy"].to_numpy().argmax())
    assert 0 < row < len(trace) - 1
    assert summary["best_step"] == trace["step"][row]
    assert summary["best"] == pytest.approx({n: float(trace[n][row]) for n in ("accuracy", "f1")})
    steps, checkpoints = array_files.read_checkpoints(folder)
    tensors = array_files.read_params(folder)
    for name, values in checkpoints.items():
        np.testing.assert_array_equal(
            tensors[f"best/{name}"], values[list(steps).index(trace["step"][row])]
        )
    validation = digits(3).validation
    accuracy = np.mean(predicted(folder, "best", validation) == validation.targets)
    assert summary["best"]["accuracy"] == pytest.approx(accuracy)


def test_baselines_and_the_smallest_class_are_counts(judged):
    _, _, summary = judged
    data = digits(3)
    commonest = np.bincount(data.train.targets).argmax()
    assert summary["baselines"] == pytest.approx(
        {
            "majority_class": np.mean(data.test.targets == commonest),
            "untrained": summary["test_initial"]["accuracy"],
        }
    )
    assert summary["smallest_class"] == np.bincount(data.test.targets).min()
    assert summary["test_examples"] == len(data.test.targets)


def test_the_rows_of_the_splits_are_stored(judged):
    _, folder, _ = judged
    stored = np.load(folder / "splits.npz")
    for name, split in digits(3).splits.items():
        np.testing.assert_array_equal(stored[name], split.rows)


DATA = """
import numpy as np
from landscape.parts.datasets import Dataset, Split

def points(seed, *, flipped=False):
    random = np.random.default_rng(seed)
    def split(count):
        x = random.normal(size=(count, 2)).astype(np.float32)
        return Split(x, (x[:, 0] > 0).astype(np.float32))
    train, test = split(60), split(20)
    if flipped:
        test = Split(test.inputs, 1 - test.targets)
    return Dataset(train=train, test=test, task="binary", outputs=1)
"""
POINTS = """
dataset: {name: "data.py:points", flipped: false}
model: linear
losses: [sigmoid_cross_entropy]
seeds: [0]
steps: 20
record_every: 5
batch_size: 16
slices: {lines: {directions: 2, points: 5, radius: auto}, planes: null}
"""


def test_the_labels_of_the_test_split_change_nothing_but_the_judgment(tmp_path):
    (tmp_path / "data.py").write_text(DATA)
    _, straight, first = performed(tmp_path, POINTS)
    _, flipped, other = performed(tmp_path, POINTS, "dataset.flipped=true")
    for name in ("trace.parquet", "params.safetensors", "slices.npz", "splits.npz"):
        assert (straight / name).read_bytes() == (flipped / name).read_bytes(), name
    judgments = ("test", "test_at_best", "test_initial", "baselines", "data")
    assert {n: v for n, v in first.items() if n not in judgments} == {
        n: v for n, v in other.items() if n not in judgments
    }
    for key in ("test", "test_at_best", "test_initial"):
        assert first[key]["accuracy"] == pytest.approx(1 - other[key]["accuracy"])
    assert first["test"]["accuracy"] > 0.8


def test_the_threshold_in_the_summary_is_the_best_on_validation_and_the_one_of_the_test(tmp_path):
    (tmp_path / "data.py").write_text(DATA)
    metrics = "metrics=[{name: f1, threshold: validation}]"
    run, folder, summary = performed(tmp_path, POINTS, metrics, "slices=null", "steps=2")
    data, tensors = ProgramCache().dataset(run), array_files.read_params(folder)
    weight, bias = (tensors[f"trained/output/{name}"].astype(float) for name in ("weight", "bias"))

    def score(split, threshold):
        probability = 1 / (1 + np.exp(-(split.inputs @ weight.T + bias)[:, 0]))
        return reference.f1_score(split.targets, probability > threshold, zero_division=0)

    (name,) = summary["thresholds"]
    threshold = summary["thresholds"][name]
    tried = [score(data.validation, value) for value in np.linspace(0, 1, 500)]
    assert score(data.validation, threshold) >= max(tried)
    assert summary["test"][name] == pytest.approx(score(data.test, threshold), abs=1e-6)
    assert summary["data"]["positive"] == "1"
    experiment_folder.write_plan(tmp_path, [run.id])
    stored = results.read(tmp_path)
    texts = notes.notes(stored, compare(stored))
    assert any(f"{threshold:.3f} for F1" in text for text in texts), texts


def test_a_run_that_is_not_judged_does_not_read_the_test_split(judged, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "judge", None)
        run, folder, summary = performed(tmp_path, judged=False)
    assert run.id == judged[0].id
    for name in TRAINING:
        assert (folder / name).read_bytes() == (judged[1] / name).read_bytes()
    assert (summary["test"], summary["baselines"], summary["smallest_class"]) == ({}, {}, None)
    assert summary["best"] == judged[2]["best"]
    runs = config.expand(config.load(tmp_path / "experiment.yaml"))
    assert planned_actions(runs, tmp_path) == {run.id: "measure"}
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_train", None)
        assert measured(runs, tmp_path)[2] == judged[2]


def test_the_step_that_counts_is_chosen_without_a_measurement(judged, tmp_path):
    run, folder, summary = judged
    experiment = folder.parent.parent
    runs = config.expand(config.load(experiment / "experiment.yaml", ["stop=best"]))
    planned = plan(runs, experiment, fresh=False, retry_failed=False)[run.id]
    assert (planned.action, planned.renamed) == ("done", runs[0])
    stored = outcome(experiment, run)
    assert stored == summary["test"]["accuracy"]
    before = (folder / "config.yaml").read_text()
    store.rewrite_config(folder, config.dump(runs[0]))
    assert outcome(experiment, run) == summary["test_at_best"]["accuracy"]
    store.rewrite_config(folder, before)


def outcome(experiment, run):
    """The accuracy of the run in the report."""
    if not (experiment / "plan.json").exists():
        experiment_folder.write_plan(experiment, [run.id])
        text = config.dump(config.load(experiment / "experiment.yaml"))
        (experiment / "experiment.yaml").write_text(text)
    (stored,) = results.read(experiment).runs
    return stored.outcome("accuracy")


def test_a_diverged_run_counts_as_the_initial_model_on_the_test_split(tmp_path):
    run, _, summary = performed(
        tmp_path, CONFIG, "optimizer={name: sgd, learning_rate: 1e38, momentum: 0.0}"
    )
    assert summary["status"] == "diverged"
    assert outcome(tmp_path, run) == summary["test_initial"]["accuracy"]


def test_the_mean_is_the_baseline_of_regression(tmp_path):
    text = CONFIG.replace("digits", "diabetes").replace("softmax_cross_entropy", "squared_error")
    _, _, summary = performed(tmp_path, text, "optimizer.learning_rate=0.01")
    assert -0.05 < summary["baselines"]["mean"] <= 0  # R2 of the mean of the training split
    assert summary["smallest_class"] is None
    assert set(summary["test"]) == {"r2", "rmse"}
