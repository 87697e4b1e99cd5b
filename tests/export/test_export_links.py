"""A tracker writes and deletes nothing behind a symbolic link, wherever the link is on the way."""

import shutil

import pytest

from landscape.errors import UserError
from landscape.export.trackers import export
from landscape.storage import experiment_folder

EVENT = "events.out.tfevents.1"
OTHER_TRACKERS = shutil.ignore_patterns("wandb", "mlflow*", "tensorboard")  # of other tests


@pytest.fixture
def copied(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "sweep", ignore=OTHER_TRACKERS)
    return tmp_path / "sweep"


@pytest.fixture
def run_id(directory):
    return experiment_folder.read_plan(directory)[0]


@pytest.fixture
def elsewhere(tmp_path, run_id):
    """A folder of the reader's, with files that a tracker would delete or change."""
    folder = tmp_path / "elsewhere"
    for path in (folder / EVENT, folder / run_id / EVENT, folder / "sweep" / run_id / EVENT):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("years of work")
    return folder


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def place_link(link, target):
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


@pytest.mark.parametrize("at", [None, "tensorboard", "own/events"])
@pytest.mark.parametrize("place", ["", "sweep", "sweep/{}", "sweep/figures"])
def test_event_files_behind_a_link_are_kept(copied, elsewhere, run_id, at, place):
    place = place.format(run_id)
    root = copied / (at or "tensorboard")
    place_link(root / place, elsewhere)
    before = contents(elsewhere)
    with pytest.raises(UserError, match="is a symbolic link to"):
        export(copied, "tensorboard", at and str(root))
    assert contents(elsewhere) == before
    assert not [path for path in root.rglob(EVENT) if not path.is_symlink()] or place == ""


def test_a_linked_event_file_is_refused_before_any_other_is_deleted(
    copied, elsewhere, run_id, tmp_path
):
    target = tmp_path / "events"
    (target / "sweep" / run_id).mkdir(parents=True)
    (target / "sweep" / run_id / EVENT).write_text("older")
    place_link(target / "sweep" / "figures" / EVENT, elsewhere / EVENT)
    with pytest.raises(UserError, match="is a symbolic link to"):
        export(copied, "tensorboard", str(target))
    assert (target / "sweep" / run_id / EVENT).read_text() == "older"


def test_a_destination_that_the_user_names_may_be_a_link(copied, run_id, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "events").symlink_to(tmp_path / "disk")
    assert export(copied, "tensorboard", str(tmp_path / "events")).new == 2
    assert [*(tmp_path / "disk" / "sweep" / run_id).glob("events.out.tfevents.*")]


@pytest.mark.parametrize("name", ["mlflow.db", "mlflow.db-journal", "mlflow_artifacts"])
def test_a_linked_database_is_refused(copied, elsewhere, name):
    place_link(copied / name, elsewhere / EVENT)
    before = contents(elsewhere)
    with pytest.raises(UserError, match="is a symbolic link to"):
        export(copied, "mlflow")
    assert contents(elsewhere) == before


@pytest.mark.filterwarnings("ignore")
def test_a_database_that_stores_files_elsewhere_is_refused(copied, elsewhere, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = MlflowClient(tracking_uri=f"sqlite:///{copied / 'mlflow.db'}")
    client.create_experiment("sweep", artifact_location=elsewhere.as_uri())
    before = contents(elsewhere)
    with pytest.raises(UserError, match="outside of the folder"):
        export(copied, "mlflow")
    assert contents(elsewhere) == before


@pytest.mark.parametrize("name", ["latest-run", "offline-run-1"])
def test_a_folder_of_wandb_that_leads_out_is_refused(copied, elsewhere, name):
    place_link(copied / "wandb" / name, elsewhere)
    before = contents(elsewhere)
    with pytest.raises(UserError, match="is a symbolic link to"):
        export(copied, "wandb")
    assert contents(elsewhere) == before
