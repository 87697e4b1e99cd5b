"""Only regular files of a bounded size are read, and never through a link."""

import ast
import io
import os
import socket
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from helpers.configs import BASE, load

from landscape import config
from landscape.storage import array_files, array_limits, experiment_folder, safe_reading, schema
from landscape.storage.curvature_records import CurvaturePoint
from landscape.storage.records import (
    InterpolationRecord,
    MetaRecord,
    ProgressRecord,
    StatusRecord,
    SummaryRecord,
)
from landscape.storage.safe_reading import UnreadableFile

SOURCE = Path(__file__).parent.parent.parent / "landscape"
# Modules that read other files than results: configs, code and data of the user, the package's own.
READ_OTHER_FILES = {
    "audit/measure/example_arrays.py",
    "catalog/lookup.py",
    "catalog/menu.py",
    "config/yaml_source.py",
    "numerics/compiling.py",
    "numerics/point_width.py",
    "parts/datasets/_read.py",
    "parts/datasets/_sources.py",
    "parts/datasets/sequences.py",
    "report/code_pages.py",
    "report/interactive.py",
    "report/page.py",
    "report/page_images.py",
    "starter/writing.py",
    "storage/safe_reading.py",
}


def test_stored_files_are_opened_in_one_module():
    readers = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            opens = name.rpartition(".")[2] in ("read_bytes", "read_text", "open")
            loads = name in ("np.load", "pd.read_parquet", "pandas.read_parquet", "safe_open")
            writes = any(ast.unparse(argument) in ("'a'", "'wb'") for argument in node.args)
            others = name in ("os.open", "archive.open") or name.startswith("safe_reading.")
            if (opens or loads) and not writes and not others:
                readers.add(path.relative_to(SOURCE).as_posix())
    assert readers == READ_OTHER_FILES


def _fifo(path, secret):
    os.mkfifo(path)


def _link(path, secret):
    path.symlink_to(secret)


def _device(path, secret):
    path.symlink_to("/dev/zero")


def _folder(path, secret):
    path.mkdir()


def _socket(path, secret):
    with socket.socket(socket.AF_UNIX) as endpoint:
        os.chdir(path.parent)
        endpoint.bind(path.name)


def _sparse(path, secret):
    with path.open("wb") as file:
        file.truncate(2**40)


KINDS = {
    _fifo: "not a regular file",
    _link: "a symbolic link",
    _device: "a symbolic link",
    _folder: "a folder",
    _socket: "not a regular file",
    _sparse: r"it has 1,099,511,627,776 bytes; at most [\d,]+ are read",
}


@pytest.mark.parametrize(("kind", "message"), KINDS.items())
@pytest.mark.parametrize("name", ["status.json", "config.yaml", "params.safetensors"])
def test_what_is_no_regular_file_of_bounded_size_is_refused(
    tmp_path, monkeypatch, kind, message, name
):
    monkeypatch.chdir(tmp_path)  # the name of a socket has at most 107 characters
    secret = tmp_path / "secret"
    secret.write_text("secret")
    kind(tmp_path / name, secret)
    for read in (safe_reading.read_bytes, safe_reading.read_text, safe_reading.size_and_sha256):
        with pytest.raises(UnreadableFile, match=message):
            read(tmp_path / name)


def test_a_file_of_exactly_the_limit_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345678")
    assert safe_reading.read_bytes(tmp_path / "a", 8) == b"12345678"
    with pytest.raises(UnreadableFile, match="it has 8 bytes; at most 7 are read"):
        safe_reading.read_bytes(tmp_path / "a", 7)
    with pytest.raises(FileNotFoundError):
        safe_reading.read_bytes(tmp_path / "b", 8)


def test_a_device_is_refused_without_reading_it():
    with pytest.raises(UnreadableFile, match="not a regular file"):
        safe_reading.read_bytes(Path("/dev/zero"))


def _npz(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _header_only(shape):
    """An archive whose header declares an array that is not there."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a.npy", "w") as member:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
    return buffer.getvalue()


NOT_SLICES = [
    (_npz({"a": np.zeros(10**6)}), "it expands to 8,000,128 bytes; its run has at most 1,000,000"),
    (_header_only((10**12,)), r"`a` has the shape \(1000000000000,\), unlike its size"),
    (_header_only((-1,)), r"`a` has the shape \(-1,\), unlike its size"),
    (_npz({"a": np.array(["x", "yz"])}), "`a` has the type <U2; expected numbers"),
    (_npz({"a": np.ones(2, complex)}), "`a` has the type complex128; expected numbers"),
    (_npz({"a": np.ones(2, "datetime64[s]")}), r"`a` has the type datetime64\[s\]"),
    (_npz({"a\x1b[2J": np.ones(2)}), r"the name 'a\\x1b\[2J' is too long or not printable"),
    (_npz({"x" * 600: np.ones(2)}), "is too long or not printable"),
]


@pytest.mark.parametrize(("content", "message"), NOT_SLICES)
def test_slices_that_no_run_writes_are_refused(tmp_path, content, message):
    (tmp_path / "slices.npz").write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        array_files.read_slices(tmp_path, 10**6)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "u8", "?"])
def test_arrays_of_numbers_are_read_as_numpy_reads_them(tmp_path, order, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype, order=order)
    (tmp_path / "slices.npz").write_bytes(_npz({"a/b": array, "c": array[0, 0]}))
    slices = array_files.read_slices(tmp_path)
    with np.load(tmp_path / "slices.npz") as expected:
        for name in expected.files:
            np.testing.assert_array_equal(slices[name], expected[name], strict=True)


def _trace(columns, **options):
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


NOT_TRACES = [
    (_trace({"step": np.zeros(10**5, np.int8)}), "it has 100,000 rows; its run has at most 1,000"),
    (_trace({"step": ["a"]}), "the column `step` has the type string; expected numbers"),
    (_trace({"step": [[1]]}), "the column `step` has the type list"),
    (_trace({"step": [1], "x": [{"a": 1}]}), "the column `x` has the type struct"),
    (_trace({"step": [1], "x": [None]}), "the column `x` has the type null"),
    (_trace({"step": [1, None]}), "the column `step` has missing values"),
    (_trace({"step": [1, 2], "x": [True, None]}), "the column `x` has missing values"),
    (_trace({"step": [1]}, compression="gzip"), "it is compressed by GZIP"),
    (_trace({"step": [1], "x\x07": [1]}), "is too long or not printable"),
]


@pytest.mark.parametrize(("content", "message"), NOT_TRACES)
def test_traces_that_no_run_writes_are_refused(tmp_path, content, message):
    (tmp_path / "trace.parquet").write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        array_files.read_trace(tmp_path, 1000)


def test_a_missing_number_of_a_trace_is_nan(tmp_path):
    columns = {"step": [0, 1], "risk": pa.array([1.5, None])}
    (tmp_path / "trace.parquet").write_bytes(_trace(columns))
    np.testing.assert_array_equal(array_files.read_trace(tmp_path)["risk"], [1.5, np.nan])


LINES = {
    "coordinates": np.linspace(-1, 1, 5),
    "risk": np.full((2, 5), np.nan),
    "cosine": np.eye(2),
    "norm": np.ones(2),
    "radius": np.float32(1),
}
PLANES = {
    "x": np.arange(4.0),
    "y": np.arange(3.0),
    "risk": np.ones((1, 3, 4)),
    "norm": np.ones((1, 2)),
    "path/x": np.array([0.5, 0.1, 0.2]),
}


def _slices(lines=None, planes=None):
    sets = {"lines/a": LINES | (lines or {}), "planes/b": PLANES | (planes or {})}
    return {
        f"trained/{label}/{name}": np.asarray(array)
        for label, arrays in sets.items()
        for name, array in arrays.items()
    }


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (_slices(), None),
        (_slices() | {"other": np.ones((0, 7)), "trained/center/risk": np.float32(1)}, None),
        (_slices({"risk": np.ones((2, 4))}), "`trained/lines/a/risk` has the shape"),
        (_slices({"risk": np.ones(5)}), "`trained/lines/a/risk` has the shape"),
        (_slices({"norm": np.ones(3)}), "`trained/lines/a/norm` has the shape"),
        (_slices({"radius": np.ones(1)}), "`trained/lines/a/radius` has the shape"),
        (_slices({"coordinates": np.full(5, np.nan)}), "must be finite and rise"),
        (_slices({"coordinates": np.zeros(5)}), "must be finite and rise"),
        (_slices(planes={"risk": np.ones((1, 4, 3))}), "`trained/planes/b/risk` has the shape"),
        (_slices(planes={"norm": np.ones((1, 3))}), "`trained/planes/b/norm` has the shape"),
        (_slices(planes={"risk": np.ones((0, 3, 4))}), "`trained/planes/b/risk` has the shape"),
        (_slices() | {"trained/center/risk": np.ones(2)}, "`trained/center/risk` has the shape"),
    ],
)
def test_the_arrays_of_a_set_of_slices_agree_in_shape(slices, message):
    if message is None:
        array_limits.check_shapes(slices)
        return
    with pytest.raises(UnreadableFile, match=message):
        array_limits.check_shapes(slices)


PLANS = [
    ('["a-1", "b-1", "a-1", "a-1"]', "it lists the run `a-1` 3 times"),
    (str([f"r-{number}" for number in range(100_001)]).replace("'", '"'), "at most 100000 items"),
    ('["' + "x" * 300 + '"]', "item 0, counted from 0: .* is not a valid run id"),
    (" " * (2**24 + 1), "it has 16,777,217 bytes; at most 16,777,216 are read"),
]


@pytest.mark.parametrize(("text", "message"), PLANS)
def test_a_plan_is_bounded_and_lists_every_run_once(tmp_path, text, message):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        experiment_folder.read_plan(tmp_path)


def test_a_folder_of_runs_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere" / "a-1").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "elsewhere")
    for read in (experiment_folder.read_plan, experiment_folder.run_ids):
        with pytest.raises(UnreadableFile, match="`runs` is a symbolic link"):
            read(tmp_path)


RECORDS = [
    (ProgressRecord, '{"stage": "train", "worker": "", "pid": 1e999, "host": ""}', "`pid`"),
    (ProgressRecord, f'{{"stage": "a", "worker": "", "pid": {10**400}, "host": ""}}', "`pid`"),
    (ProgressRecord, '{"stage": "a", "worker": "", "pid": -1, "host": ""}', "`pid`"),
    (
        ProgressRecord,
        '{"stage": "a", "worker": "", "pid": 1, "host": "", "steps_per_second": "fast"}',
        "`steps_per_second`",
    ),
    (MetaRecord, '{"versions": [["a", "b"]]}', "`versions`"),
    (MetaRecord, f'{{"machine": "{"x" * 100_000}"}}', "at most 1000 characters"),
    (StatusRecord, '{"status": "done", "files": {"a": {"bytes": -1, "sha256": ""}}}', "bytes`"),
    (SummaryRecord, '{"status": "done", "primary_metric": 1, "higher_is_better": {}}', "primary"),
    (CurvaturePoint, '{"place": "trained", "step": 0, "parameters": 0}', "greater than or equal"),
]


@pytest.mark.parametrize(("kind", "text", "message"), RECORDS)
def test_numbers_and_names_in_records_are_bounded(kind, text, message):
    with pytest.raises(ValueError, match=message):
        schema.from_text(text, kind)


def test_a_long_text_in_a_record_loses_its_middle():
    text = "begin" + "x" * 10**6 + "end"
    reason = schema.from_text(f'{{"status": "failed", "reason": "{text}"}}', StatusRecord).reason
    assert len(reason) < 20_001 and reason.startswith("begin") and reason.endswith("end")


def test_a_swept_integer_of_more_than_64_bits_is_refused():
    record = {"kind": "seeds", "from": "a", "to": "b", "coordinates": [0, 1], "metric": [0, 0]}
    text = schema.to_text(record | {"risks": {}, "drops": {}})
    assert schema.from_text(text, InterpolationRecord).swept == {}
    text = text.replace("{", f'{{"swept": {{"a": [{{"b": {10**400}}}]}},', 1)
    with pytest.raises(ValueError, match="an integer of more than 64 bits"):
        schema.from_text(text, InterpolationRecord)


@pytest.mark.parametrize("columns", [3, 1000])
def test_slices_may_have_every_metric_of_the_trace(columns, tmp_path):
    """A user-defined metric can report hundreds of numbers, such as one per class."""
    keys = ["slices.planes.points=[201,201]", "slices.lines=null", "seeds=1"]
    run = config.expand(load(tmp_path, BASE, *keys))[0]
    metrics = columns * 201 * 201 * np.float32().nbytes
    assert metrics < array_limits.most_slice_bytes(run, columns) < 2**30
