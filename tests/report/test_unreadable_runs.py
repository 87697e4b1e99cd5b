"""A run whose files no run writes is left out with a message; the others are read."""

import io
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import LOSSES, write_experiment

from landscape.errors import UserError
from landscape.report.results import read
from landscape.storage import contents, experiment_folder, store

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FIRST, SECOND = "cross_entropy-0-0", "cross_entropy-0-1"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = write_experiment(tmp_path_factory.mktemp("written") / "x", LOSSES[:1], 2)
    for name in (FIRST, SECOND):
        store.write_run_files(store.run_folder(directory, name), {}, "done")
    experiment_folder.write_plan(directory, [FIRST, SECOND])
    contents.write(directory, [FIRST, SECOND], contents.read(directory))
    return directory


@pytest.fixture
def directory(written, tmp_path):
    return shutil.copytree(written, tmp_path / "x")


def _seal(directory, name=FIRST):
    """Lists the changed files, as someone does who wants to be believed."""
    store.write_run_files(store.run_folder(directory, name), {}, "done")
    contents.write(directory, [FIRST, SECOND], contents.read(directory))


def _npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _parquet(**columns):
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer, index=False)
    return buffer.getvalue()


STEPS = np.arange(11)
CONTENTS = [
    ("slices.npz", _npz(a=np.array(["x"])), "slices.npz cannot be read: `a` has the type <U1"),
    ("slices.npz", _npz(a=np.ones(2, complex)), "`a` has the type complex128"),
    ("slices.npz", _npz(**{"trained/center/risk": np.ones(2)}), "has the shape"),
    ("slices.npz", _npz(a=np.zeros(2 * 10**7, np.int8)), "it expands to"),
    ("trace.parquet", _parquet(step=np.zeros(10**6)), "it has 1,000,000 rows; its run has at most"),
    (
        "trace.parquet",
        _parquet(step=STEPS, accuracy=["x"] * 11),
        "has the type large_string",
    ),
    ("trace.parquet", _parquet(step=STEPS, accuracy=[[1]] * 11), "has the type list"),
    ("trace.parquet", _parquet(step=STEPS[::-1], accuracy=STEPS), "not rising whole numbers"),
    ("trace.parquet", _parquet(step=STEPS / 2, accuracy=STEPS), "not rising whole numbers"),
    ("trace.parquet", _parquet(step=STEPS), "the trace has no column `accuracy`"),
    ("trace.parquet", _parquet(step=[]), "trace.parquet cannot be read: it has no steps"),
    ("summary.json", b'{"status": 1}', "summary.json cannot be read: `status`"),
    ("config.yaml", b"a: 1\n", "config.yaml cannot be read"),
]


@pytest.mark.parametrize(("name", "content", "message"), CONTENTS)
def test_a_run_with_impossible_content_is_left_out(directory, name, content, message):
    (store.run_folder(directory, FIRST) / name).write_bytes(content)
    _seal(directory)
    results = read(directory)
    assert [run.name for run in results.runs if run.counted] == [SECOND]
    assert message in results.unreadable[FIRST] and "\n" not in results.unreadable[FIRST]


def test_a_swept_integer_of_more_than_64_bits_is_left_out(directory):
    path = store.run_folder(directory, FIRST) / "config.yaml"
    path.write_text(path.read_text().replace("swept: {}", f"swept: {{dataset.a: [{10**30}]}}"))
    _seal(directory)
    assert "an integer of more than 64 bits" in read(directory).unreadable[FIRST]


NAMES = ["status.json", "config.yaml", "trace.parquet", "summary.json", "slices.npz", "meta.json"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["fifo", "link", "device", "folder", "sparse"])
def test_a_run_with_something_else_than_a_file_is_left_out(directory, tmp_path, kind, name):
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    path = store.run_folder(directory, FIRST) / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    else:
        path.symlink_to(secret if kind == "link" else "/dev/zero")
    results = read(directory)
    assert [run.name for run in results.runs if run.counted] == [SECOND]
    assert name in results.unreadable[FIRST] and "SECRET" not in str(results)


def test_the_error_of_a_failed_run_is_not_read_through_a_link(directory, tmp_path):
    folder = store.run_folder(directory, FIRST)
    store.write_failure(folder, (folder / "config.yaml").read_text(), "ValueError: wrong")
    contents.remove(directory)
    assert "ValueError: wrong" in read(directory).runs[0].error
    (tmp_path / "secret").write_text("SECRET")
    (folder / "error.txt").unlink()
    (folder / "error.txt").symlink_to(tmp_path / "secret")
    assert "damaged: error.txt" in read(directory).unreadable[FIRST]
    assert "SECRET" not in str(read(directory)) + store.read_failure(folder)


def test_the_folder_of_a_run_that_is_a_link_is_left_out(directory, tmp_path):
    folder = store.run_folder(directory, FIRST)
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "is a symbolic link" in read(directory).unreadable[FIRST]


def test_a_run_of_another_user_without_permission_is_not_called_unfinished(directory, monkeypatch):
    folder = store.run_folder(directory, FIRST)
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder)  # root may open all
    reason = f"`{FIRST}` cannot be opened: this user lacks the permission"
    assert read(directory).unreadable == {FIRST: reason}


def test_a_plan_that_names_a_run_twice_is_refused(directory):
    experiment_folder.write_plan(directory, [FIRST, SECOND])
    (directory / "plan.json").write_text(json.dumps([FIRST, SECOND, FIRST]))
    with pytest.raises(UserError, match=f"it lists the run `{FIRST}` 2 times"):
        read(directory)


def test_a_copy_of_a_run_counts_once(directory):
    shutil.copytree(store.run_folder(directory, FIRST), store.run_folder(directory, "copy"))
    experiment_folder.write_plan(directory, [FIRST, SECOND, "copy"])
    contents.remove(directory)
    results = read(directory)
    assert [run.name for run in results.runs if run.counted] == [FIRST, SECOND]
    assert f"the swept values of `{FIRST}`" in results.unreadable["copy"]


def test_a_changed_number_is_never_read_without_a_warning(directory):
    assert read(directory).warnings == () and read(directory).across is not None
    across = directory / "across.json"
    across.write_text(across.read_text().replace('"metric": 0.9', '"metric": 0.8', 1))
    results = read(directory)
    assert results.across is None and "across.json was changed" in results.problem
    assert results.warnings[0].startswith("`across.json` was changed")


def test_a_run_with_a_changed_status_is_left_out(directory):
    folder = store.run_folder(directory, FIRST)
    text = (folder / "summary.json").read_text()
    (folder / "summary.json").write_text(text + " ")
    store.write_run_files(folder, {}, "done")
    assert "damaged: status.json" in read(directory).unreadable[FIRST]


def test_a_file_that_was_added_to_a_run_is_not_read(directory):
    folder = store.run_folder(directory, FIRST)
    content = (folder / "slices.npz").read_bytes()
    (folder / "slices.npz").unlink()
    _seal(directory)
    assert read(directory).runs[0].problem == ""
    (folder / "slices.npz").write_bytes(content)
    run = read(directory).runs[0]
    assert not run.slices and "slices.npz was added after the run" in run.problem


@pytest.mark.parametrize("name", ["slices.npz", "meta.json"])
def test_a_measurement_that_is_missing_is_named(directory, name):
    (store.run_folder(directory, FIRST) / name).unlink()
    first, second = read(directory).runs
    assert first.counted and f"{name} is missing" in first.problem
    assert second.problem == ""


@pytest.mark.parametrize("name", ["experiment.yaml", "across.json"])
def test_a_file_of_the_experiment_that_is_a_link_is_not_read(directory, tmp_path, name):
    (tmp_path / "secret").write_text("SECRET")
    (directory / name).unlink()
    (directory / name).symlink_to(tmp_path / "secret")
    for listed in (True, False):
        if not listed:
            contents.remove(directory)
        results = read(directory)
        assert any(name in text for text in (*results.warnings, results.problem))
        assert "SECRET" not in str(results)
        assert len([run for run in results.runs if run.counted]) == 2
