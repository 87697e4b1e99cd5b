"""Losses with fields, in any order of arguments, of one example, and with metrics of their own."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import invoke
from helpers.in_process_runs import ended_runs

from landscape import config
from landscape.errors import UserError
from landscape.numerics.training_order import draw_order
from landscape.parts.datasets import Dataset, Split, complete
from landscape.report import notes, results
from landscape.report.comparison import compare
from landscape.run.program import build_loss
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.training_inputs import evaluation_set, seed_key
from landscape.storage import array_files, experiment_folder, store
from landscape.storage.audit_records import Audit

pytestmark = pytest.mark.usefixtures("unrendered_figures")

PARTS = """
import jax.numpy as jnp
import numpy as np
from landscape.parts.datasets import Dataset, Split

def weighted_points(seed):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    weights, noise = rng.uniform(0.1, 3.0, 60), rng.normal(size=(60, 2))

    def part(rows):
        fields = {"weights": weights[rows], "noise": noise[rows]}
        return Split(x[rows].astype("f"), y[rows].astype("f"), fields=fields)

    first, second, third = slice(0, 30), slice(30, 47), slice(47, 60)
    return Dataset(
        train=part(first), validation=part(second), test=part(third), task="regression", outputs=1
    )

def keras(y_true, y_pred, weights):
    return weights * (y_pred - y_true) ** 2

def single(prediction, target, *, noise=None, weights):
    assert prediction.shape == weights.shape == () and noise.shape == (2,)
    return weights * (prediction - target) ** 2

def recorded(predictions, targets, weights=None):
    residual = predictions - targets
    metrics = {"error": jnp.abs(residual), "largest": jnp.max(residual), "total": weights.sum()}
    return jnp.mean(weights * residual**2), metrics

def needs(predictions, targets, confidence):
    return confidence * (predictions - targets) ** 2

def as_dict(predictions, targets):
    return {"loss": (predictions - targets) ** 2}

def text_metric(predictions, targets):
    return (predictions - targets) ** 2, {"name": "text"}

def overall(predictions, targets):
    return jnp.mean((predictions - targets) ** 2)

def weighted_error(y_true, y_pred, weights):
    return jnp.average(jnp.abs(y_true - y_pred), weights=weights)

def optional_error(y_true, y_pred, weights=None):
    return jnp.average(jnp.abs(y_true - y_pred), weights=weights)

def triangle(prediction, target):
    return jnp.stack([prediction, target]) @ jnp.ones((2, 2)) @ jnp.stack([target, prediction])
"""
CONFIG = """
dataset: "parts.py:weighted_points"
model: linear
optimizer: {name: sgd, learning_rate: 0.05, momentum: 0.0}
losses: [%s]
seeds: 1
steps: 12
batch_size: 8
record_every: 4
evaluation: {batch_size: 5}
slices: {lines: {directions: 1, points: 3, radius: 0.5}, gradients: true}
curvature: {eigenvalues: 1, iterations: 4}
"""
LOSSES = {
    "keras": '"parts.py:keras"',
    "single": '{name: "parts.py:single", vmap: true}',
    "recorded": '"parts.py:recorded"',
    "squared_error": "squared_error",
}
CALLS = {
    "keras": "keras(y_true=targets, y_pred=predictions, weights=weights)",
    "single": "single(prediction=predictions, target=targets, noise=noise, weights=weights), "
    "one example at a time",
    "recorded": "recorded(predictions=predictions, targets=targets, weights=weights), returns "
    "metrics beside its value",
    "squared_error": "squared_error(predictions=predictions, targets=targets), its values are "
    "multiplied by the field `weights`",
}


def load(folder, *losses, overrides=()):
    folder.mkdir(exist_ok=True)
    (folder / "parts.py").write_text(PARTS)
    (folder / "calls.yaml").write_text(CONFIG % ", ".join(losses))
    return config.expand(config.load(folder / "calls.yaml", overrides))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of the run of each loss."""
    runs = load(tmp_path_factory.mktemp("calls"), *LOSSES.values())
    out, cache = runs[0].folder / "out", ProgramCache()
    prepare(runs, cache)
    for run, status, _ in ended_runs(runs, out, cache):
        assert status == "done", store.read_failure(store.run_folder(out, run.id))
    return {run.loss.label: store.run_folder(out, run.id) for run in runs}


class Points:
    """The data of `weighted_points`, in float64 with a column of ones."""

    def __init__(self, rows):
        rng = np.random.default_rng(3)
        x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
        self.weights = rng.uniform(0.1, 3.0, 60)[rows]
        self.x = np.hstack([x, np.ones((60, 1))])[rows]
        self.y = y[rows]

    def batch(self, numbers):
        part = copy.copy(self)
        part.x, part.y, part.weights = self.x[numbers], self.y[numbers], self.weights[numbers]
        return part

    def residual(self, params):
        return self.x @ params - self.y

    def risk(self, params):
        return np.mean(self.weights * self.residual(params) ** 2)

    def gradient(self, params):
        return 2 * self.x.T @ (self.weights * self.residual(params)) / len(self.y)

    @property
    def hessian(self):
        return 2 * (self.x.T * self.weights) @ self.x / len(self.y)


TRAINING, EVALUATION = Points(slice(0, 30)), Points(slice(30, 47))


def params_at(folder, end):
    tensors = array_files.read_params(folder)
    names = sorted(name for name in tensors if name.startswith(f"{end}/"))
    weight, bias = sorted((tensors[name].astype(float).ravel() for name in names), key=len)[::-1]
    return np.append(weight, bias)


@pytest.mark.parametrize("label", LOSSES)
def test_training_and_measurements_are_those_of_weighted_least_squares(folders, label):
    folder = folders[label]
    params = params_at(folder, "initial")
    trace = pd.read_parquet(folder / "trace.parquet")
    recorded = dict(zip(trace["step"], trace["risk/evaluation"], strict=True))
    for step, batch in enumerate(np.asarray(draw_order(seed_key(0, "data order"), 30, 12, 8))):
        if step in recorded:
            np.testing.assert_allclose(recorded[step], EVALUATION.risk(params), rtol=1e-4)
        if step < 12:
            params = params - 0.05 * TRAINING.batch(batch).gradient(params)
    np.testing.assert_allclose(params_at(folder, "trained"), params, rtol=1e-4, atol=1e-5)
    slices = array_files.read_slices(folder)
    np.testing.assert_allclose(slices["trained/center/risk"], EVALUATION.risk(params), rtol=1e-4)
    curvature = json.loads((folder / "curvature.json").read_text())
    largest = curvature["points"][0]["operators"]["hessian"]["largest"][0]
    exact = np.linalg.eigvalsh(EVALUATION.hessian)[-1]
    np.testing.assert_allclose(largest, exact, rtol=1e-3)
    checks = json.loads((folder / "summary.json").read_text())["checks"]
    passed = {check["name"] for check in checks if check["passed"]}
    assert {"center", "second_difference", "mean_curvature"} <= passed


def test_metrics_beside_the_value_of_a_loss_are_columns_of_the_trace(folders):
    last = pd.read_parquet(folders["recorded"] / "trace.parquet").iloc[-1]
    params = params_at(folders["recorded"], "trained")
    batches = np.split(np.arange(17), [5, 10, 15])
    parts = [EVALUATION.batch(numbers) for numbers in batches]
    sizes = [len(numbers) / 17 for numbers in batches]
    expected = {
        "loss/error": np.mean(np.abs(EVALUATION.residual(params))),
        "loss/largest": np.dot(sizes, [np.max(part.residual(params)) for part in parts]),
        "loss/total": np.dot(sizes, [part.weights.sum() for part in parts]),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(last[name], value, rtol=1e-4)
    for label in ("keras", "single"):
        columns = pd.read_parquet(folders[label] / "trace.parquet").columns
        assert not [name for name in columns if name.startswith("loss/")]


def test_the_call_of_a_loss_is_in_log_and_summary(folders):
    for label, call in CALLS.items():
        assert json.loads((folders[label] / "summary.json").read_text())["loss_call"] == call
        assert any(line.endswith(f"loss: {call}") for line in store.read_log(folders[label]))


def test_validate_prints_the_calls_and_the_page_has_them(folders):
    folder = folders["keras"].parents[2]
    done = invoke("validate", "calls.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    for label, call in CALLS.items():
        assert f"{label}: {call}" in done.stdout
    experiment_folder.write_plan(folder / "out", [run.name for run in folders.values()])
    stored = results.read(folder / "out")
    texts = notes.notes(stored, compare(stored))
    (note,) = [text for text in texts if text.startswith("How losses")]
    assert all(f"{label} as {call}" in note for label, call in CALLS.items())


@pytest.mark.parametrize("name", ["weighted_error", "optional_error"])
def test_a_user_defined_metric_receives_fields_as_a_loss_does(tmp_path, name):
    metric = f'metrics=[{{"name": "parts.py:{name}", "better": "lower"}}]'
    (run,) = load(tmp_path, "squared_error", overrides=[metric])
    cache = ProgramCache()
    prepare([run], cache)
    predictions, examples = np.zeros(17, "f"), evaluation_set(run, cache.dataset(run))
    scores = cache.program(run).instruments.metrics_of(predictions, examples)
    expected = np.average(np.abs(EVALUATION.y), weights=EVALUATION.weights)
    assert scores[name] == pytest.approx(expected, rel=1e-5)


def test_weights_that_cannot_be_applied_are_stated(tmp_path):
    (run,) = load(tmp_path, '"parts.py:overall"')
    assert (
        ProgramCache()
        .loss_call(run)
        .endswith("the field `weights` is not used, since it returns one value for a batch")
    )


def test_weights_that_do_not_fit_the_values_of_a_loss_are_refused(tmp_path):
    (run,) = load(tmp_path, "squared_error")
    cache = ProgramCache()
    data = cache.dataset(run)
    wide = {"weights": np.ones((*data.train.targets.shape, 2))}
    data = data._replace(train=data.train._replace(fields=wide))
    with pytest.raises(UserError, match=r"the field `weights` of shape \(8, 2\) does not fit"):
        build_loss(run, data, cache.model(run))


@pytest.mark.parametrize("label", LOSSES)
def test_the_audit_is_that_of_the_loss_as_it_is_called(tmp_path, label):
    (run,) = load(tmp_path, LOSSES[label])
    audit = ProgramCache().audit(run)
    assert isinstance(audit, Audit), audit
    assert audit.verdict == "trainable", audit
    # The minimizer of the squared error is the target: the arguments are not exchanged.
    assert not audit.findings


REFUSED = {
    "missing field": (
        "needs",
        ["loss `needs` requires `confidence`, which is neither an option", "nor a field of"],
        "fields of the dataset: weights, noise; to make it an option, write `confidence: VALUE`",
    ),
    "dict": ("as_dict", ["loss `as_dict` returns dict, not an array"], "`(value, metrics)`"),
    "metric": ("text_metric", ["as its metric `name`, returns str, not an array"], None),
    "one example": (
        "triangle",
        ["loss `triangle`"],
        "set `vmap: true` beside the name of the loss",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_loss_that_cannot_be_called_is_refused_with_advice(tmp_path, name):
    function, messages, hint = REFUSED[name]
    with pytest.raises(UserError) as refused:
        prepare(load(tmp_path, f'"parts.py:{function}"'), ProgramCache())
    for message in messages:
        assert message in refused.value.message
    assert hint is None or hint in refused.value.hint
    assert str(refused.value.place).rpartition(":")[0].endswith("parts.py")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ('{name: "parts.py:keras", order: target-first}', "order"),
        ("{name: squared_error, weights: 2}", "loss `squared_error` has no option `weights`"),
    ],
)
def test_mistakes_in_the_config_of_a_loss(tmp_path, loss, message):
    with pytest.raises(UserError) as refused:
        load(tmp_path, loss)
    assert message in str(refused.value)


def test_the_order_in_the_config_is_part_of_the_identity(tmp_path):
    inferred, stated = (
        load(tmp_path, f'{{name: "parts.py:keras", order: {order}}}')[0]
        for order in ("auto", "predictions-first")
    )
    assert inferred.id != stated.id
    assert inferred.id == load(tmp_path, '"parts.py:keras"')[0].id


FIELDS = {
    "too few": ({"weights": np.ones(4)}, "has shape (4,), expected one entry for each of 5"),
    "scalar": ({"weights": np.float32(1)}, "has shape (), expected one entry for each of 5"),
    "text": ({"weights": np.array(list("abcde"))}, "expected numbers or booleans"),
    "negative": ({"weights": np.array([1, -2, 1, 1, 1])}, "the value -2, expected numbers of at"),
    "objects": ({"weights": np.array([None] * 5)}, "has the type object"),
    "missing values": ({"weights": np.array([1, np.nan, 1, 1, 1])}, "has 1 values that are not"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_that_do_not_fit_are_refused(name):
    fields, message = FIELDS[name]
    split = Split(np.zeros((5, 2), "f"), np.zeros(5, "f"), fields=fields)
    with pytest.raises(UserError) as refused:
        complete(Dataset(split, split, "regression", 1), 0)
    assert message in refused.value.message


def test_every_split_has_the_same_fields():
    train = Split(np.zeros((5, 2), "f"), np.zeros(5, "f"), fields={"weights": np.ones(5)})
    with pytest.raises(UserError, match="the test split has the fields none"):
        complete(Dataset(train, train._replace(fields={}), "regression", 1), 0)
    wider = train._replace(fields={"weights": np.ones((5, 2))})
    with pytest.raises(UserError, match=r"has shape \(\) for an example of the train split"):
        complete(Dataset(train, wider, "regression", 1), 0)
