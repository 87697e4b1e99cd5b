"""What was changed in a folder after its contents were listed is noticed."""

import json

import pytest

from landscape.storage import contents, experiment_folder, safe_reading, store

FILES = ("experiment.yaml", "plan.json", "across.json", "compare.json")


@pytest.fixture
def folder(tmp_path):
    """The folder of an experiment with two planned runs and one other, and its list."""
    for name in FILES:
        (tmp_path / name).write_text('["a-1", "b-1"]')
    for name in ("a-1", "b-1", "c-1"):
        run = store.run_folder(tmp_path, name)
        run.mkdir(parents=True)
        (run / "summary.json").write_text(name)
        store.write_run_files(run, {}, "done")
    contents.write(tmp_path, ["a-1", "b-1"], contents.read(tmp_path))
    return tmp_path


def _differing_runs(folder):
    listed = contents.read(folder)
    statuses = {
        name: store.status_content(store.run_folder(folder, name))
        for name in experiment_folder.run_ids(folder)
    }
    return {name for name, content in statuses.items() if listed.status_differs(name, content)}


def test_an_unchanged_folder_has_no_warning(folder):
    assert contents.read(folder).warnings() == () and _differing_runs(folder) == set()
    listed = json.loads((folder / "contents.json").read_text())["files"]
    statuses = {f"runs/{name}/status.json" for name in ("a-1", "b-1", "c-1")}
    assert {*listed} == {*FILES} | statuses


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["other text", None])
def test_a_changed_or_missing_file_is_named(folder, name, change):
    if change is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(change)
    (warning,) = contents.read(folder).warnings()
    assert warning.startswith(f"`{name}` was {'changed' if change else 'removed'}")
    assert not contents.read(folder).confirms(name)


def test_a_new_across_json_is_named(folder):
    (folder / "across.json").unlink()
    contents.write(folder, ["a-1", "b-1"], contents.read(folder))
    assert contents.read(folder).warnings() == ()
    (folder / "across.json").write_text("{}")
    (warning,) = contents.read(folder).warnings()
    assert warning.startswith("`across.json` was changed")


def test_a_status_that_is_changed_new_or_missing_is_noticed(folder):
    new = store.run_folder(folder, "d-1")
    new.mkdir()
    store.write_run_files(new, {}, "done")
    path = store.run_folder(folder, "a-1") / "status.json"
    path.write_bytes(path.read_bytes() + b" ")
    (store.run_folder(folder, "b-1") / "status.json").unlink()
    assert _differing_runs(folder) == {"a-1", "b-1", "d-1"}


def test_the_change_of_a_run_that_is_not_planned_stays_noticed(folder):
    for name in ("a-1", "c-1"):
        path = store.run_folder(folder, name) / "status.json"
        path.write_bytes(path.read_bytes() + b" ")
    contents.write(folder, ["a-1", "b-1"], contents.read(folder))
    assert _differing_runs(folder) == {"c-1"}


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (None, "`contents.json` is missing"),
        (b"[" * 5000, "`contents.json` cannot be read"),
        (
            b'{"files": {"plan.json": {"bytes": -1, "sha256": ""}}}',
            "`contents.json` cannot be read",
        ),
    ],
)
def test_without_a_list_nothing_can_be_verified(folder, content, warning):
    contents.remove(folder)
    if content is not None:
        (folder / "contents.json").write_bytes(content)
    listed = contents.read(folder)
    (text,) = listed.warnings()
    assert text.startswith(warning) and text.endswith("cannot be verified")
    assert not listed.differs("across.json") and _differing_runs(folder) == set()


def test_the_list_is_not_written_or_deleted_through_a_link(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.write_text("years of work")
    contents.remove(folder)
    (folder / "contents.json").symlink_to(elsewhere)
    assert "a symbolic link" in contents.read(folder).problem
    contents.remove(folder)
    assert not safe_reading.exists(folder / "contents.json")
    assert elsewhere.read_text() == "years of work"
