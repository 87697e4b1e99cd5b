"""`landscape init --from`: the experiment that it writes for a table can be read, and trains."""

import json

import numpy as np
import pandas
import pytest
from helpers import churn_table
from helpers.command_line import invoke

from landscape import config
from landscape.run.preflight import build_dataset
from landscape.storage import store

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FEW = ["slices=null", "seeds=2", "steps=200"]


@pytest.fixture
def churn(tmp_path):
    churn_table.write(tmp_path / "churn.csv")
    return tmp_path


def written(folder, *words):
    """The experiment that `init` writes for a table of this folder."""
    done = invoke("init", "mine", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return config.load(folder / "mine" / "experiment.yaml")


def test_every_column_of_the_churn_table_has_a_role_that_is_shown(churn):
    experiment = written(churn, "--from", "churn.csv", "--target", "churned")
    options = experiment.dataset.options
    assert options["positive"] == "yes"
    assert options["ignore"] == ["customer", "signed_up"]
    assert options["categories"] == ["calls"]
    assert options["missing"] == {"strategy": "median", "indicator": True}
    assert experiment.judge_by == "average_precision"
    done = invoke("validate", "mine/experiment.yaml", cwd=churn)
    assert done.returncode == 0, done.stderr
    for column in churn_table.COLUMNS:
        assert f"`{column}`" in done.stdout
    assert "one-hot (4: 0, 1, 2, 3+)" in done.stdout
    assert "train: no (456), yes (24)" in done.stdout
    assert "0 = no, 1 = yes (positive)" in done.stdout


def test_the_losses_of_the_churn_table_are_compared_by_average_precision(churn):
    written(churn, "--from", "churn.csv", "--target", "churned")
    done = invoke("run", "mine/experiment.yaml", *FEW, "--out", "out", cwd=churn)
    assert done.returncode == 0, done.stderr
    folder = churn / "out" / "experiment"
    losses = pandas.read_csv(folder / "report" / "tables" / "comparison.csv")
    names = {"sigmoid_cross_entropy", "focal", "weighted_cross_entropy", "soft_f1"}
    assert set(losses["name"]) == names
    columns = pandas.read_csv(folder / "report" / "tables" / "columns.csv")
    assert tuple(columns["column"]) == churn_table.COLUMNS
    for run in json.loads((folder / "plan.json").read_text()):
        summary = json.loads((store.run_folder(folder, run) / "summary.json").read_text())
        assert summary["primary_metric"] == "average_precision"
        assert summary["data"]["classes"] == ["no", "yes"]
        # An order at random has the share of positives, 5 %.
        assert summary["test"]["average_precision"] > 0.2


def test_compare_tunes_the_losses_of_the_churn_table_by_average_precision(churn):
    written(churn, "--from", "churn.csv", "--target", "churned")
    settings = "compare={rates: [0.003, 0.03], tuning_seeds: 1, judging_seeds: 2}"
    losses = "losses=[sigmoid_cross_entropy, my_losses.py:soft_f1]"
    words = ["slices=null", "steps=60", losses, settings, "--out", "out"]
    done = invoke("compare", "mine/experiment.yaml", *words, cwd=churn)
    assert done.returncode == 0, done.stderr
    tables = churn / "out" / "experiment" / "report" / "tables"
    tuning = pandas.read_csv(tables / "tuning.csv")
    assert set(tuning["loss"]) == {"sigmoid_cross_entropy", "soft_f1"}
    # An order at random has the share of positives, 5 %.
    assert (tuning["value"] > 0.2).all()
    assert "average precision" in (tables / "tuning.md").read_text()


@pytest.mark.parametrize(
    ("values", "task", "judge"),
    [
        ([f"{i % 7}.5" for i in range(60)], "regression", None),
        (["a", "b", "c"] * 20, "multiclass", None),
        (["a"] * 56 + ["b", "c"] * 2, "multiclass", "balanced_accuracy"),
        ([0, 1] * 30, "binary", None),
        (["True", "False"] * 30, "binary", None),
        ([1, 2, 3] * 20, "multiclass", None),
    ],
)
def test_the_task_follows_from_the_target(tmp_path, values, task, judge):
    frame = pandas.DataFrame({"id": np.arange(60), "x": np.arange(60) % 11, "y": values})
    frame.to_csv(tmp_path / "t.csv", index=False, sep=";")
    experiment = written(tmp_path, "--from", "t.csv", "--target", "y")
    options = experiment.dataset.options
    assert (options["task"], options["delimiter"], options["ignore"]) == (task, ";", ["id"])
    assert experiment.judge_by == judge
    if judge is None:
        run = config.expand(experiment)[0]
        assert build_dataset(run).train.inputs.shape == (36, 1)


def test_init_names_what_is_wrong_with_a_table(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,\n")
    for words, message in (
        (["--from", "t.csv"], "--from needs --target too"),
        (["--target", "y"], "--target needs --from too"),
        (["--from", "t.csv", "--target", "z"], "no column `z`"),
        (["--from", "t.csv", "--target", "y"], "is missing in some rows"),
        (["--from", "u.csv", "--target", "y"], "does not exist"),
    ):
        done = invoke("init", "mine", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert message in " ".join(done.stderr.split())
        assert not (tmp_path / "mine").exists()
