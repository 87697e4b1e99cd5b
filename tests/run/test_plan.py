"""The plan for a folder that has other results: what it reports, and what it refuses."""

import pytest

from landscape import config
from landscape.errors import UserError
from landscape.run.plan import plan, refuse_other_experiment
from landscape.storage import contents, store
from landscape.sweep.executors.protocol import Note
from landscape.sweep.session import Session, _trained_again, open_session
from landscape.sweep.work import ConfiguredRuns

CONFIG = """
dataset: digits
model: {name: mlp, widths: [4]}
losses: ["losses.py:custom", brier]
seeds: 2
steps: 20
"""
LOSS = "def custom(predictions, targets): return ((predictions - targets) ** 2).sum(-1)\n"


def load(folder, *overrides, text=CONFIG):
    folder.mkdir(exist_ok=True)
    if not (folder / "losses.py").exists():
        (folder / "losses.py").write_text(LOSS)
    (folder / "sweep.yaml").write_text(text)
    return config.load(folder / "sweep.yaml", overrides)


def store_configs(experiment, directory):
    """Writes what planning reads: the config of the experiment and of each run."""
    directory.mkdir(exist_ok=True)
    (directory / "experiment.yaml").write_text(config.dump(experiment))
    for run in config.expand(experiment):
        folder = store.run_folder(directory, run.id)
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(config.dump(run))


def planned(experiment, directory):
    runs = config.expand(experiment)
    plans = plan(runs, directory, fresh=False, retry_failed=False)
    return {(run.loss.label, run.seed): plans[run.id].changed for run in runs}


def test_the_plan_names_the_file_in_which_a_loss_has_changed(tmp_path):
    experiment, directory = load(tmp_path), tmp_path / "out"
    store_configs(experiment, directory)
    unchanged = planned(experiment, directory)
    assert unchanged == dict.fromkeys(unchanged, ())
    other = "def other(predictions, targets): return 0.0\n"
    (tmp_path / "losses.py").write_text("# a comment\n" + LOSS + other)
    assert planned(experiment, directory) == unchanged
    (tmp_path / "losses.py").write_text(LOSS.replace("** 2", "** 4"))
    expected = {("custom", 0): ("`losses.py`",), ("custom", 1): ("`losses.py`",)}
    assert planned(experiment, directory) == unchanged | expected


def test_the_plan_names_the_settings_whose_change_retrains_runs(tmp_path):
    directory = tmp_path / "out"
    store_configs(load(tmp_path), directory)
    changes = planned(load(tmp_path, "steps=30", "optimizer.learning_rate=0.1"), directory)
    assert set(changes.values()) == {("`optimizer`", "`steps`")}
    # A label, a loss and a seed retrain nothing that is stored.
    more = ("losses=[{name: 'losses.py:custom', label: mine}, brier, focal]", "seeds=3")
    assert set(planned(load(tmp_path, *more), directory).values()) == {()}


def test_runs_of_an_earlier_stage_are_not_taken_for_outdated_ones(tmp_path):
    directory = tmp_path / "out"
    first, second = load(tmp_path), load(tmp_path, "steps=30")
    store_configs(first, directory)
    others = [run.id for run in config.expand(first)]
    runs = config.expand(second)
    plans = plan(runs, directory, fresh=False, retry_failed=False, others=others)
    assert {(planned.action, planned.changed) for planned in plans.values()} == {("new", ())}


def test_runs_that_are_trained_again_are_counted_and_their_logs_state_why(tmp_path):
    directory = tmp_path / "out"
    store_configs(load(tmp_path), directory)
    experiment = load(tmp_path, "steps=30")
    runs = config.expand(experiment)
    plans = plan(runs, directory, fresh=False, retry_failed=False)
    work = ConfiguredRuns(experiment)
    listed, rest = contents.read(directory), iter(())
    session = Session(experiment, directory, runs, plans, False, None, listed, work, rest)
    assert [*_trained_again(session)] == [Note("4 runs are trained again: `steps` changed")]
    for run in runs:
        log = store.read_log(store.run_folder(directory, run.id))
        assert log == ["trained again: `steps` changed"]


@pytest.mark.parametrize(
    ("override", "refused"),
    [
        ("seeds=9", False),
        ("losses=[brier, focal]", False),
        ("optimizer.learning_rate=0.1,0.2", False),
        ("steps=30", False),
        ("losses=[focal]", True),
        ("model=linear", True),
        ("dataset=breast_cancer", True),
    ],
)
def test_a_folder_belongs_to_one_experiment(tmp_path, override, refused):
    directory = tmp_path / "out"
    store_configs(load(tmp_path / "one"), directory)
    losses = [] if override.startswith("losses") else ["losses=[brier]"]
    other = load(tmp_path / "two", *losses, override)
    if refused:
        with pytest.raises(UserError, match=r"another experiment `sweep`, from .*one") as caught:
            refuse_other_experiment(other, directory)
        assert "--out" in caught.value.hint and "name:" in caught.value.hint
    else:
        refuse_other_experiment(other, directory)
    # The same config may be edited.
    refuse_other_experiment(load(tmp_path / "one", *losses, override), directory)


@pytest.mark.parametrize(
    ("overrides", "changed"),
    [
        (("dataset=breast_cancer", "losses=[hinge]"), "dataset and losses"),
        (("dataset=breast_cancer", "model=linear"), "dataset and model"),
        (("model=linear", "losses=[focal]"), "model and losses"),
    ],
)
def test_two_configs_of_one_folder_and_name_are_two_experiments(tmp_path, overrides, changed):
    directory = tmp_path / "out"
    store_configs(load(tmp_path), directory)
    other = load(tmp_path, *overrides)
    with pytest.raises(UserError, match=f"experiment `sweep`, with other {changed}") as caught:
        refuse_other_experiment(other, directory)
    assert "--out" in caught.value.hint and "name:" in caught.value.hint


def test_a_folder_of_another_experiment_can_be_deleted_with_fresh(tmp_path):
    (tmp_path / "out").mkdir()
    store_configs(load(tmp_path / "one"), tmp_path / "out" / "sweep")
    other = load(tmp_path / "two", "dataset=breast_cancer")
    with (
        pytest.raises(UserError, match="another experiment"),
        open_session(other, tmp_path / "out"),
    ):
        pass
    with open_session(other, tmp_path / "out", fresh=True) as session:
        assert {planned.action for planned in session.plan.values()} == {"new"}


def test_a_damaged_description_of_an_experiment_refuses_nothing(tmp_path):
    directory = tmp_path / "out"
    directory.mkdir()
    for content in (b"", b"a: [", b"\xff", b"losses: 3\n"):
        (directory / "experiment.yaml").write_bytes(content)
        refuse_other_experiment(load(tmp_path), directory)
