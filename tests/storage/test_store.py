import json

import numpy as np
import pytest

from landscape.errors import StorageError
from landscape.storage import disk, store


def test_arrays_come_back_with_nan_and_infinity_as_they_were(tmp_path):
    arrays = {
        "trained/planes/risk": np.array([[1.5, np.nan], [np.inf, -np.inf]], np.float32),
        "trained/center/risk": np.float32(0.25),
    }
    store.write_slices(tmp_path, arrays)
    found = store.read_slices(tmp_path)
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == np.float32


def test_trace_and_params_come_back_bit_for_bit(tmp_path):
    columns = {"step": np.arange(3, dtype=np.int32), "risk/batch": np.float32([1, np.nan, np.inf])}
    store.write_trace(tmp_path, columns)
    trace = store.read_trace(tmp_path)
    assert list(trace.columns) == list(columns)
    for name, values in columns.items():
        assert trace[name].to_numpy().tobytes() == values.tobytes()
    tensors = {"trained/w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    store.write_params(tmp_path, tensors)
    np.testing.assert_array_equal(store.read_params(tmp_path)["trained/w"], tensors["trained/w"])


def test_the_same_content_is_the_same_bytes(tmp_path):
    values = {"b": np.ones(4, np.float32), "a": np.zeros((2, 2), np.float32)}
    for folder in (tmp_path / "one", tmp_path / "two"):
        store.write_trace(folder, {"step": np.arange(4), "x": values["b"]})
        store.write_slices(folder, values)
        store.write_params(folder, values)
    for name in ("trace.parquet", "slices.npz", "params.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    disk.write_json(path, {"value": 1})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        disk.write_json(path, {"value": 2})
    assert disk.read_json(path) == {"value": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_json_has_no_nan(tmp_path):
    disk.write_json(tmp_path / "a.json", {"x": [np.float32("nan"), float("inf"), np.int64(3)]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [None, None, 3]}


@pytest.mark.parametrize("content", [None, "", "{", "[]", "3", '{"other": 1}'])
def test_a_damaged_status_is_no_status(tmp_path, content):
    if content is not None:
        (tmp_path / "status.json").write_text(content)
    assert store.read_status(tmp_path) is None
    store.write_status(tmp_path, "done")
    assert store.read_status(tmp_path) == "done"
