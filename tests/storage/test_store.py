import json
import math
import re

import numpy as np
import pytest

from landscape.errors import StorageError
from landscape.storage import array_files, disk, experiment_folder, schema, store
from landscape.storage.audit_records import AuditRecord
from landscape.storage.curvature_records import EstimateRecord
from landscape.storage.records import Check


def test_slices_round_trip_with_nan_and_infinity(tmp_path):
    arrays = {
        "trained/planes/risk": np.array([[1.5, np.nan], [np.inf, -np.inf]], np.float32),
        "trained/center/risk": np.float32(0.25),
    }
    array_files.write_slices(tmp_path, arrays)
    slices = array_files.read_slices(tmp_path)
    assert slices.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(slices[name], value)
        assert slices[name].dtype == np.float32


def test_trace_and_params_round_trip_bit_for_bit(tmp_path):
    columns = {"step": np.arange(3, dtype=np.int32), "risk/batch": np.float32([1, np.nan, np.inf])}
    array_files.write_trace(tmp_path, columns)
    trace = array_files.read_trace(tmp_path)
    assert list(trace.columns) == list(columns)
    for name, values in columns.items():
        assert trace[name].to_numpy().tobytes() == values.tobytes()
    tensors = {"trained/w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    array_files.write_params(tmp_path, tensors)
    np.testing.assert_array_equal(
        array_files.read_params(tmp_path)["trained/w"], tensors["trained/w"]
    )


def test_equal_arrays_give_equal_bytes(tmp_path):
    values = {"b": np.ones(4, np.float32), "a": np.zeros((2, 2), np.float32)}
    for folder in (tmp_path / "one", tmp_path / "two"):
        array_files.write_trace(folder, {"step": np.arange(4), "x": values["b"]})
        array_files.write_slices(folder, values)
        array_files.write_params(folder, values)
    for name in ("trace.parquet", "slices.npz", "params.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


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
    store.write_status(tmp_path, "done")
    assert store.read_status(tmp_path) == "done"
