"""Experiments of Python objects: the same numbers as from files, honest resuming, clear errors."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from helpers.notebook_cell import run_cell

from landscape import Experiment, UserError, compare, load, results, run
from landscape.parts.datasets import Dataset, Split
from landscape.parts.metrics import Metric

pytestmark = pytest.mark.usefixtures("unrendered_figures")

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(60, 2))
TARGETS = (INPUTS[:, 0] > 0).astype(int)
CELL = """
import jax.numpy as jnp
LIMIT = 0.5
def capped(predictions, targets):
    return jnp.minimum(jnp.square(predictions - targets), LIMIT)
def distance(y_true, y_pred, weights):
    return weights * jnp.abs(y_true - y_pred)
"""
SMALL = {
    "seeds": 1,
    "steps": 4,
    "batch_size": 16,
    "record_every": 2,
    "slices": {"lines": {"directions": 2, "points": 3}, "planes": None},
}


def experiment(losses, **settings):
    arrays = {"dataset": (INPUTS, TARGETS), "task": "regression", "model": "linear"}
    return Experiment(losses=losses, **{**arrays, **SMALL, **settings})


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The results of two losses, one of a cell of a notebook and one of the menu."""
    out = tmp_path_factory.mktemp("sweep")
    losses = [{"name": run_cell(CELL)["capped"], "label": "capped <at> 0.5"}, "squared_error"]
    return run(experiment(losses, audit=True, curvature={"operators": ["hessian"]}), out, tell=len)


def test_arrays_and_functions_give_the_bytes_of_files(sweep, tmp_path):
    np.savez(tmp_path / "data.npz", inputs=INPUTS, targets=TARGETS)
    (tmp_path / "losses.py").write_text(CELL)
    (tmp_path / "same.yaml").write_text(
        "dataset: {name: npz, path: data.npz, task: regression}\nmodel: linear\n"
        "losses: ['losses.py:capped']\nseeds: 1\nsteps: 4\nbatch_size: 16\nrecord_every: 2\n"
        "slices: {lines: {directions: 2, points: 3}, planes: null}\n"
    )
    other = run(load(tmp_path / "same.yaml"), tmp_path / "out", tell=len)
    for name in ("trace.parquet", "slices.npz", "params.safetensors"):
        ((file,), (first, _)) = (
            [s.directory / "runs" / run_id / name for run_id in s.status.index]
            for s in (other, sweep)
        )
        assert file.read_bytes() == first.read_bytes(), name


def test_the_tables_and_arrays_of_a_run_are_those_of_its_files(sweep):
    run_id = sweep.status.index[0]
    folder = sweep.directory / "runs" / run_id
    traces = sweep.traces
    assert traces["run"].tolist() == [name for name in sweep.status.index for _ in range(3)]
    one = traces[traces["run"] == run_id].drop(columns=["run", "loss", "seed"])
    stored_trace = pd.read_parquet(folder / "trace.parquet")
    pd.testing.assert_frame_equal(one.reset_index(drop=True), stored_trace)
    with np.load(folder / "slices.npz") as stored:
        slices = sweep.slices[run_id]
        assert slices.keys() == set(stored)
        np.testing.assert_equal(slices, dict(stored))
    params = sweep.params[run_id]
    # The risk, recomputed from the parameters in NumPy.
    with np.load(folder / "splits.npz") as splits:
        train, validation = splits["train"], splits["validation"]
    scaled = (INPUTS - INPUTS[train].mean(0)) / INPUTS[train].std(0)
    targets = (TARGETS - TARGETS[train].mean()) / TARGETS[train].std()
    weight, bias = (params[f"trained/{name}"] for name in ("output/weight", "output/bias"))
    predictions = (scaled[validation] @ weight.T + bias).squeeze(-1)
    risk = np.minimum((predictions - targets[validation]) ** 2, 0.5).mean()
    assert one["risk/evaluation"].iloc[-1] == pytest.approx(risk, rel=1e-5)


def test_a_key_of_arrays_is_a_run_or_a_label_with_one_run(sweep):
    run_ids = list(sweep.status.index)
    assert list(sweep.slices) == list(sweep.params) == run_ids
    assert repr(sweep.slices) == f"<slices of 2 runs: {', '.join(run_ids)}>"
    for label, run_id in zip(["capped <at> 0.5", "squared_error"], run_ids, strict=True):
        np.testing.assert_equal(sweep.params[label], sweep.params[run_id])
    assert "squared" not in sweep.slices and sweep.slices.get("squared") is None
    with pytest.raises(UserError, match=r"no run `squared`\n  did you mean `squared_error"):
        sweep.slices["squared"]


def test_the_curvature_of_a_run_is_that_of_a_quadratic(sweep):
    """The Hessian of the squared error of a linear model is twice the mean of x x^T."""
    run_id = next(name for name in sweep.status.index if name.startswith("squared"))
    with np.load(sweep.directory / "runs" / run_id / "splits.npz") as splits:
        train, validation = splits["train"], splits["validation"]
    scaled = (INPUTS - INPUTS[train].mean(0)) / INPUTS[train].std(0)
    inputs = np.column_stack([scaled[validation], np.ones(len(validation))])
    spectrum = np.linalg.eigvalsh(2 * inputs.T @ inputs / len(inputs))
    table = sweep.curvature
    table = table[table["run"] == run_id]
    trained = table[(table["place"] == "trained") & (table["matrix"] == "hessian")].iloc[0]
    assert trained[["smallest", "largest"]].tolist() == pytest.approx(spectrum[[0, -1]], rel=1e-3)
    assert trained["parameters"] == 3 and trained["omitted"] == ""


def test_the_audit_of_a_run_lists_its_findings(sweep):
    audits = sweep.audits
    (_, capped), (_, squared) = audits.groupby("loss")
    assert set(capped["verdict"]) == {"care"} and "G202" in set(capped["code"])
    assert set(squared["verdict"]) == {"trainable"}
    assert not {"error", "warning"} & set(squared["severity"].dropna())


def test_figures_show_the_runs(sweep):
    figure = sweep.plot("curves")
    traces = sweep.traces
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    for _, trace in traces.groupby("run"):
        assert any(np.array_equal(line, trace["r2"]) for line in drawn)
    assert sweep.plot("slices").axes and sweep.plot("curvature").axes
    with pytest.raises(UserError, match=r"no run in .* has what `contours` shows"):
        sweep.plot("contours")


def test_an_unknown_kind_of_figure_lists_the_kinds_that_the_experiment_has(sweep):
    """No directions are compared, and there are no planes, no sweep and no other solution."""
    with pytest.raises(UserError, match=r"no kind of figure `curve`\n  did you mean `curves`") as e:
        sweep.plot("curve")
    kinds = re.search(r"has (.*)\)", str(e.value).replace("one of:", "has"))[1].split(", ")
    assert set(kinds) >= {"audit", "curves", "curvature", "gradients", "risk", "slices", "summary"}
    assert not {"contours", "surfaces", "convexity", "sweep", "across"} & set(kinds)
    assert all(sweep.plot(kind).axes for kind in kinds)


def test_a_notebook_shows_the_comparison(sweep):
    html = sweep._repr_html_()
    assert "<td>capped &lt;at&gt; 0.5</td>" in html and "<td>squared_error</td>" in html
    assert "is not a folder" in results(sweep.directory / "nothing")._repr_html_()


def test_a_missing_file_is_named_with_the_setting_that_writes_it(sweep, tmp_path):
    bare = run(experiment(["squared_error"], slices=None), tmp_path / "out", tell=len)
    (run_id,) = bare.status.index
    with pytest.raises(UserError, match=r"has no slices: there is no slices.npz\n  with `slices`"):
        bare.slices[run_id]
    with pytest.raises(UserError, match=r"no finished run in .* has audit\n  with `audit: true`"):
        bare.audits  # noqa: B018
    with pytest.raises(UserError, match=r"has curvature\n  with `curvature: \{\}`"):
        bare.curvature  # noqa: B018
    with pytest.raises(UserError, match=f"has no run `{run_id}x`\n  did you mean `{run_id}`"):
        bare.params[f"{run_id}x"]


def test_results_are_resumed_if_and_only_if_text_and_values_are_the_same(tmp_path):
    def lines(cell, inputs=INPUTS, **settings):
        told = []
        losses = [cell["capped"], "squared_error"]
        made = experiment(losses, dataset=(inputs, TARGETS), slices=None, **settings)
        run(made, tmp_path, tell=told.append)
        return told

    assert len(lines(run_cell(CELL))) == 2
    assert lines(run_cell(CELL)) == []  # defined again, with the same text
    assert lines(run_cell(CELL.replace("def capped", "# a note\ndef capped"))) == []
    again = lines(run_cell(CELL.replace("LIMIT = 0.5", "LIMIT = 0.4")))
    assert "1 run is trained again" in again[0] and len(again) == 2
    moved = INPUTS.copy()
    moved[0, 0] += 1
    assert len([line for line in lines(run_cell(CELL), moved) if " done " in line]) == 2


def test_an_object_without_text_is_refused_resuming_with_the_reason(tmp_path):
    names = {"__name__": "__main__"}
    exec(CELL, names)
    made = experiment([names["capped"]], slices=None)
    run(made, tmp_path, tell=len)
    with pytest.raises(UserError, match=r"cannot be resumed.*`capped` was defined where Python"):
        run(made, tmp_path)
    told = []
    run(made, tmp_path, fresh=True, tell=told.append)
    assert len(told) == 1 and " done " in told[0]


class Net(eqx.Module):
    layer: eqx.nn.Linear

    def __init__(self, key):
        self.layer = eqx.nn.Linear(3, "scalar", key=key)

    def __call__(self, x):
        return self.layer(x)


def gap(predictions, targets):
    return jnp.mean(jnp.abs(jax.nn.sigmoid(predictions) - targets))


def test_every_kind_of_part_can_be_an_object(tmp_path):
    table = pd.DataFrame({"size": INPUTS[:, 0], "color": ["red", "blue"] * 30})
    weights = np.linspace(0.5, 1.5, 60)
    table = table.assign(churned=np.where(TARGETS == 1, "yes", "no"), weights=weights)
    distance = run_cell(CELL)["distance"]
    made = Experiment(
        name="objects",
        dataset={
            "name": table,
            "target": "churned",
            "task": "binary",
            "positive": "yes",
            "fields": {"weights": "weights"},
            "features": ["size", "color"],
        },
        model=Net,
        losses=[distance, functools.partial(optax.losses.huber_loss, delta=0.5)],
        optimizer=optax.sgd(0.1, momentum=0.5),
        metrics=[{"name": gap, "better": "lower"}, "accuracy"],
        **{**SMALL, "slices": None, "seeds": [5]},
    )
    assert [loss.label for loss in made.settings.losses] == ["distance", "huber_loss"]
    assert made.settings.losses[1].options["delta"] == 0.5
    finished = run(made, tmp_path, tell=len)
    assert finished.status.tolist() == ["done", "done"]
    one = finished.traces.groupby("loss").first()
    assert set(one["gap"]) == {one["gap"].iloc[0]} and (one["gap"] > 0).all()
    assert not finished.comparison["higher_is_better"].any()
    stored = load(finished.directory / "experiment.yaml")
    with pytest.raises(UserError, match="`python:table` is an object of the Python process"):
        run(stored, tmp_path)


def test_models_and_metrics_may_be_instances_and_datasets_their_own_splits(tmp_path):
    def init(key, inputs):
        return {"w": jnp.zeros(inputs.shape[-1])}

    def apply(params, inputs):
        return inputs @ params["w"]

    split = Split(INPUTS.astype(np.float32), TARGETS.astype(np.float32))
    made = Experiment(
        dataset=Dataset(split, split, "regression", 1),
        model={"name": (init, apply), "filter_axes": "first"},
        losses=["squared_error"],
        metrics=[Metric(lambda s: jnp.mean(jnp.abs(s.predictions - s.targets)), False)],
        **{**SMALL, "slices": None},
    )
    finished = run(made, tmp_path, tell=len)
    # At zero parameters every prediction is 0, and the mean error the share of ones.
    assert finished.traces["metric"].iloc[0] == pytest.approx(
        finished.traces["risk/evaluation"].iloc[0]
    )


@pytest.mark.parametrize(
    ("task", "in_dataset", "at_top"),
    [
        ("ordinal", "ordinal", None),
        ({"name": "ordinal", "form": "classes"}, "ordinal", "ordinal"),
    ],
)
def test_the_task_of_arrays_is_that_of_the_experiment(task, in_dataset, at_top):
    settings = experiment(["squared_error"], task=task).settings
    assert settings.dataset.options["task"] == in_dataset
    assert (settings.task and settings.task.name) == at_top


def test_only_this_process_has_the_objects(tmp_path):
    made = experiment([run_cell(CELL)["capped"]])
    for options in ({"jobs": 2}, {"executor": "processes"}):
        with pytest.raises(UserError, match="`capped` exist only in this process"):
            run(made, tmp_path, **options)
    limited = experiment([run_cell(CELL)["capped"]], execution={"time_limit": "1m"})
    with pytest.raises(UserError, match="limits in `execution`"):
        compare(limited, tmp_path)


def same_name():
    def capped(predictions, targets):
        return predictions - targets

    return capped


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": INPUTS}, r"`dataset`: found an array of shape \(60, 2\).*\n.*pass a pair"),
        ({"dataset": [INPUTS, TARGETS]}, r"`dataset`: found a list.*\n.*pass a pair"),
        (
            {"dataset": {"nam": "digits"}},
            "`dataset.nam`: found the text 'digits', expected",
        ),
        ({"dataset": 3}, "`dataset`: found an int, expected a dataset"),
        ({"model": 3}, "`model`: found an int, expected a model"),
        ({"losses": [3]}, r"`losses\[0\]`: found an int, expected a function"),
        ({"losses": [INPUTS]}, r"`losses\[0\]`: found an array of shape"),
        ({"losses": [lambda p, t: p]}, r"`losses\[0\]`: found a lambda.*\n.*`def`"),
        ({"losses": [functools.partial(gap, 1)]}, "positional arguments\n.*by keyword"),
        ({"losses": gap}, "Experiment: `losses`: .*list"),
        ({"losses": ["focall"]}, "no loss `focall`\n.*did you mean `focal`"),
        ({"losses": [{"name": gap, "scale": INPUTS}]}, r"`losses\[0\].scale`: found an array"),
        (
            {"losses": [same_name(), run_cell(CELL)["capped"]]},
            "have the name `capped`",
        ),
        ({"stepz": 3}, "no key `stepz`\n.*did you mean `steps`"),
        ({"steps": 0}, "Experiment: `steps`: found the integer 0"),
        ({"optimizer": 0.1}, "`optimizer`: found a float, expected a function"),
        ({"dataset": (pd.DataFrame({"a": [1]}), pd.Series([1], name="a"))}, "a column `a`"),
        ({"dataset": (pd.DataFrame({"a": [1]}), [1, 2])}, r"found .*a list|shape \(2,\)"),
    ],
)
def test_mistakes_are_found_before_anything_is_run(settings, message):
    with pytest.raises(UserError, match=message):
        experiment(settings.pop("losses", ["squared_error"]), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": None}, "needs the option `task`"),
        ({"task": "binry"}, "no task `binry`|`task` is 'binry'"),
        ({"dataset": pd.DataFrame({"a": [1.0, 2.0]})}, "needs the option `target`"),
        (
            {"dataset": (np.where(INPUTS > 2, None, INPUTS), TARGETS)},
            "of type object; expected numbers",
        ),
        ({"dataset": (INPUTS, TARGETS[:-1])}, "59"),
        ({"dataset": (INPUTS, TARGETS * 1j)}, "is of type complex128; expected numbers or text"),
        ({"model": str.upper}, "model `python:upper`"),
        ({"metrics": [gap]}, "does not state whether higher or lower values are better"),
    ],
)
def test_mistakes_in_objects_are_found_before_the_first_run(settings, message, tmp_path):
    with pytest.raises(UserError, match=message):
        run(experiment(["squared_error"], **settings), tmp_path)
