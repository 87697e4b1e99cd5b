import hashlib
import json
import math
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from landscape.errors import StorageError, UserError
from landscape.storage import array_files, disk, experiment_folder, schema, store
from landscape.storage.audit_records import AuditRecord
from landscape.storage.curvature_records import EstimateRecord
from landscape.storage.records import Check


def test_slices_round_trip_with_nan_and_infinity(tmp_path):
    arrays = {
        "trained/planes/risk": np.array([[1.5, np.nan], [np.inf, -np.inf]], np.float32),
        "trained/center/risk": np.float32(0.25),
    }
    (tmp_path / "slices.npz").write_bytes(array_files.slices_bytes(arrays))
    slices = array_files.read_slices(tmp_path)
    assert slices.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(slices[name], value)
        assert slices[name].dtype == np.float32


def test_trace_and_params_round_trip_bit_for_bit(tmp_path):
    columns = {"step": np.arange(3, dtype=np.int32), "risk/batch": np.float32([1, np.nan, np.inf])}
    (tmp_path / "trace.parquet").write_bytes(array_files.trace_bytes(columns))
    trace = array_files.read_trace(tmp_path)
    assert list(trace.columns) == list(columns)
    for name, values in columns.items():
        assert trace[name].to_numpy().tobytes() == values.tobytes()
    tensors = {"trained/w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    (tmp_path / "params.safetensors").write_bytes(array_files.tensors_bytes(tensors))
    np.testing.assert_array_equal(
        array_files.read_params(tmp_path)["trained/w"], tensors["trained/w"]
    )


def test_equal_arrays_give_equal_bytes():
    values = {"b": np.ones(4, np.float32), "a": np.zeros((2, 2), np.float32)}
    copies = {name: array.copy() for name, array in values.items()}
    columns, copied = ({"step": np.arange(4), "x": arrays["b"]} for arrays in (values, copies))
    assert array_files.trace_bytes(columns) == array_files.trace_bytes(copied)
    assert array_files.slices_bytes(values) == array_files.slices_bytes(copies)
    assert array_files.tensors_bytes(values) == array_files.tensors_bytes(copies)


def test_a_failed_write_leaves_only_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    store.write_record(path, ("one",))

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store.write_record(path, ("two",))
    assert store.read_record(path, tuple[str, ...]) == ("one",)
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize("fails", range(3))
def test_if_one_of_several_files_cannot_be_flushed_none_is_replaced(tmp_path, monkeypatch, fails):
    paths = [tmp_path / name for name in ("a", "b", "new/c")]
    for path in paths[:2]:
        path.write_bytes(b"old")
    fsync = os.fsync

    def full(handle):
        if f"/.{paths[fails].name}." in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(StorageError, match=re.escape(f"cannot write {paths[fails]}: No space")):
        disk.write_files(dict.fromkeys(paths, b"content"))
    assert [path.read_bytes() for path in paths[:2]] == [b"old", b"old"]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*paths[:2]}


def test_files_are_flushed_before_the_first_is_replaced_and_the_status_is_last(
    tmp_path, monkeypatch
):
    steps, lock = [], threading.Lock()
    fsync, replace = os.fsync, disk.Path.replace

    def flushed(handle):
        with lock:
            steps.append("flush")
        fsync(handle)

    def replaced(path, target):
        steps.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(disk.os, "fsync", flushed)
    monkeypatch.setattr(disk.Path, "replace", replaced)
    store.write_run_files(tmp_path, {"summary.json": b"{}", "config.yaml": b""}, "done")
    assert steps == ["flush"] * 3 + ["summary.json", "config.yaml", "status.json"]
    assert store.damaged(tmp_path) == []


def test_the_status_has_the_digests_of_new_and_old_files(tmp_path):
    contents = {"trace.parquet": b"trace", "error.txt": b"error", "log.txt": b"log"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    store.write_run_files(tmp_path, {"trace.parquet": b"new", "meta.json": b"{}"}, "failed")
    stored = json.loads((tmp_path / "status.json").read_text())["files"]
    expected = {"trace.parquet": b"new", "error.txt": b"error", "meta.json": b"{}"}
    assert stored == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in expected.items()
    }
    store.write_run_files(tmp_path, {}, store.TRAINED)
    assert [*json.loads((tmp_path / "status.json").read_text())["files"]] == ["trace.parquet"]


def test_nan_and_infinity_are_texts_in_json(tmp_path):
    check = Check("finite", "trained", None, np.float32("nan"), math.inf, -math.inf, "")
    store.write_record(tmp_path / "a.json", check)
    stored = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    numbers = [stored[name] for name in ("value", "expected", "tolerance")]
    assert numbers == ["NaN", "Infinity", "-Infinity"]
    again = store.read_record(tmp_path / "a.json", Check)
    assert math.isnan(again.value) and (again.expected, again.tolerance) == (math.inf, -math.inf)


@pytest.mark.parametrize(("text", "number"), [("null", math.nan), ('"nan"', math.nan)])
@pytest.mark.parametrize(("other", "infinity"), [('"inf"', math.inf), ('"-inf"', -math.inf)])
def test_non_finite_numbers_of_older_versions_are_read(text, number, other, infinity):
    estimate = schema.from_text(f'{{"value": {text}, "error": {other}}}', EstimateRecord)
    np.testing.assert_array_equal((estimate.value, estimate.error), (number, infinity))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "a b", "a\n"])
def test_a_plan_that_leads_out_of_the_experiment_is_rejected(tmp_path, name):
    (tmp_path / "plan.json").write_text(json.dumps(["a-seed0-1", name]))
    with pytest.raises(ValueError, match="not a valid run id"):
        experiment_folder.read_plan(tmp_path)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("[" * 5000, Check, "recursion limit"),
        ('{"value": 1}', EstimateRecord, "`error`: Field required"),
        ('{"value": true, "error": 1}', EstimateRecord, "`value`: Input should be a valid number"),
        ('{"value": "one", "error": 1}', EstimateRecord, "`value`: Input should be a valid num"),
        ('{"loss": "x", "verdict": "fine"}', AuditRecord, "kind`: Field required"),
        ("\x00", AuditRecord, "Invalid JSON"),
    ],
)
def test_the_error_of_a_damaged_file_is_one_line(text, kind, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        schema.from_text(text, kind)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [None, "", "{", "[]", "3", '{"other": 1}'])
def test_the_status_in_a_damaged_file_is_unknown(tmp_path, content):
    if content is not None:
        (tmp_path / "status.json").write_text(content)
    assert store.read_status(tmp_path) is None
    store.write_run_files(tmp_path, {}, "done")
    assert store.read_status(tmp_path) == "done"


def test_a_link_is_refused_anywhere_between_the_root_and_a_path(tmp_path):
    root, target = tmp_path / "root", tmp_path / "target"
    (root / "a" / "b").mkdir(parents=True)
    target.mkdir()
    (tmp_path / "link").symlink_to(root)
    disk.refuse_links(tmp_path / "link", [tmp_path / "link" / "a" / "b" / "missing"])
    (root / "a" / "b" / "out").symlink_to(target)
    (root / "a" / "loop").symlink_to("loop")
    for name in ("a/b/out", "a/b/out/c/d", "a/loop"):
        with pytest.raises(UserError, match="is a symbolic link to"):
            disk.refuse_links(root, [root / "a", root / name])
