"""Deleting the results of an experiment before all of its runs are performed again."""

import pytest

from landscape.storage.experiment_folder import clear_unfinished, cleared


@pytest.fixture
def experiment(tmp_path):
    folder = tmp_path / "quick"
    for name in ("runs/a/status.json", "report/index.html", "plan.json", "notes/mine.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_results_are_gone_at_once_and_other_files_stay(experiment):
    with cleared(experiment):
        assert not any((experiment / name).exists() for name in ("runs", "report", "plan.json"))
        (experiment / "runs" / "b").mkdir(parents=True)  # a new run does not wait for the deletion
        (experiment / "runs" / "b" / "status.json").write_text("x")
    assert files(experiment) == ["notes/mine.txt", "runs/b/status.json"]
    assert sorted(path.name for path in experiment.iterdir()) == ["notes", "runs"]


def test_nothing_behind_a_link_is_deleted(experiment, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (experiment / "runs").rename(elsewhere)
    (experiment / "runs").symlink_to(elsewhere)
    with cleared(experiment):
        assert not (experiment / "runs").is_symlink()
    assert files(elsewhere) == ["a/status.json"]


def test_what_a_killed_process_left_is_deleted_later(experiment, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *args, **options: None)
        with cleared(experiment):
            pass
    assert len(list(experiment.iterdir())) == 2  # the notes, and what was to be deleted
    clear_unfinished(experiment)
    assert files(experiment) == ["notes/mine.txt"]
    assert [path.name for path in experiment.iterdir()] == ["notes"]
