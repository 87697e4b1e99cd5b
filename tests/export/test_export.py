"""Exported runs are read back with the reader of each tracker."""

import json
import math
import struct

import pytest
from markdown_it import MarkdownIt

from landscape.errors import UserError
from landscape.export.trackers import export, tracked_runs
from landscape.report.results import read
from landscape.storage import array_files, experiment_folder, store


def traces(directory):
    names = experiment_folder.read_plan(directory)
    return {name: array_files.read_trace(store.run_folder(directory, name)) for name in names}


@pytest.mark.filterwarnings("ignore")  # those of the tracker's own making
def test_mlflow_reads_back_what_was_exported(directory, tmp_path):
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path / 'tracking.db'}"
    found = export(directory, "mlflow", uri)
    assert (found.new, found.known) == (2, 0)
    again = export(directory, "mlflow", uri)
    assert (again.new, again.known) == (0, 2)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("sweep")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    expected = traces(directory)
    assert runs.keys() == expected.keys()
    for name, trace in expected.items():
        run = runs[name]
        assert run.info.status == "FINISHED"
        assert run.data.tags["status"] == "done"
        assert run.data.params["steps"] == "10"
        if run.data.tags["loss"].startswith("focal"):
            assert run.data.params["loss.gamma"] == "1.5"
        for column in set(trace.columns) - {"step"}:
            history = client.get_metric_history(run.info.run_id, column)
            points = {metric.step: metric.value for metric in history}
            wanted = dict(zip(trace["step"], trace[column].astype(float), strict=True))
            assert points == pytest.approx(wanted, nan_ok=True), column
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"config.yaml", "trace.parquet", "slices.npz", "params.safetensors"} <= files
        assert "status.json" not in files
        place = client.download_artifacts(run.info.run_id, "slices.npz", str(tmp_path))
        own = store.run_folder(directory, name) / "slices.npz"
        assert open(place, "rb").read() == own.read_bytes()  # noqa: PTH123, SIM115


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_back_what_was_exported(directory, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    for known in (0, 2):
        found = export(directory, "tensorboard", str(tmp_path / "events"))
        assert (found.new, found.known) == (2 - known, known)
    for name, trace in traces(directory).items():
        read = EventAccumulator(str(tmp_path / "events" / "sweep" / name), {"tensors": 0})
        read.Reload()
        assert {*read.Tags()["scalars"]} == {*trace.columns} - {"step"}
        for column in read.Tags()["scalars"]:
            events = read.Scalars(column)
            assert [event.step for event in events] == trace["step"].tolist()
            assert [e.value for e in events] == pytest.approx(trace[column].tolist(), nan_ok=True)
        (text,) = read.Tensors("config.yaml")
        assert (
            b"focal" in text.tensor_proto.string_val[0]
            or b"brier" in (text.tensor_proto.string_val[0])
        )
        content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
        assert start.hparams["steps"].number_value == 10
        assert start.hparams["loss.name"].string_value in ("focal", "brier")
    figures = EventAccumulator(str(tmp_path / "events" / "sweep" / "figures"))
    figures.Reload()
    pictures = sorted(path.stem for path in (directory / "report" / "figures").glob("*.png"))
    assert sorted(figures.Tags()["images"]) == pictures != []


def records(content, block=2**15):
    """Yields the records of a LevelDB log, the format of offline files of W&B, after the header."""
    position, parts = 7, []
    while position + 7 <= len(content):
        if block - position % block < 7:  # the rest of a block has no room for a header
            position += block - position % block
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + 7])
        parts.append(content[position + 7 : position + 7 + length])
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_reads_back_what_was_exported(directory, monkeypatch):
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    found = export(directory, "wandb", "trainability")
    assert (found.new, found.known) == (2, 0)
    again = export(directory, "wandb", "trainability")
    assert (again.new, again.known) == (0, 2)
    expected, seen = traces(directory), set()
    for path in sorted(directory.glob("wandb/offline-run-*/*.wandb")):
        rows, settings, names = {}, {}, set()
        for raw in records(path.read_bytes()):
            record = wandb_internal_pb2.Record.FromString(raw)
            if record.HasField("run"):
                seen.add(record.run.display_name)
                name = record.run.display_name
                settings |= {u.key: json.loads(u.value_json) for u in record.run.config.update}
            if record.HasField("history"):
                row = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                rows[row["_step"]] = row
            if record.HasField("artifact"):
                names |= {entry.path for entry in record.artifact.manifest.contents}
            if record.HasField("request") and record.request.HasField("log_artifact"):
                manifest = record.request.log_artifact.artifact.manifest
                names |= {entry.path for entry in manifest.contents}
        trace = expected[name]
        assert settings["steps"] == 10
        assert sorted(rows) == trace["step"].tolist()
        for column in set(trace.columns) - {"step"}:
            wanted = trace[column].astype(float).tolist()
            values = [float(rows[step].get(column, math.nan)) for step in sorted(rows)]
            assert values == pytest.approx(wanted, nan_ok=True), column
        assert "trace.parquet" in names and "slices.npz" in names
    assert seen == expected.keys()


@pytest.mark.parametrize("place", ["runs", "runs/inner", "report"])
def test_a_destination_inside_the_results_is_refused(directory, place):
    before = sorted(directory.rglob("*"))
    with pytest.raises(UserError, match="inside the results of the experiment"):
        export(directory, "tensorboard", str(directory / place))
    assert sorted(directory.rglob("*")) == before


@pytest.mark.filterwarnings("ignore")
def test_an_unreachable_server_is_reported_in_one_sentence(directory, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match="export to mlflow failed"):
        export(directory, "mlflow", "http://127.0.0.1:9")


def test_a_missing_tracker_names_the_package_to_install(directory, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    monkeypatch.delitem(__import__("sys").modules, "landscape.export.to_wandb", raising=False)
    with pytest.raises(UserError, match=r"pip install 'landscape\[wandb\]'"):
        export(directory, "wandb")


def test_symbolic_links_in_a_run_are_not_exported(directory, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    name = experiment_folder.read_plan(directory)[0]
    link = store.run_folder(directory, name) / "notes.txt"
    link.symlink_to(secret)
    try:
        assert "notes.txt" not in {
            p.name for run in tracked_runs(read(directory)) for p in run.artifacts
        }
    finally:
        link.unlink()


@pytest.mark.parametrize(
    "content", ["a: 1", "```\n[x](javascript:y)", "`" * 7 + "\n# a", "\x1b[31m"]
)
def test_tensorboard_shows_a_file_as_it_is(content):
    from landscape.export.to_tensorboard import _verbatim

    (block,) = MarkdownIt("commonmark").parse(_verbatim(content))
    assert block.type == "fence"
    assert block.content == f"{content}\n".replace("\x1b", "\N{REPLACEMENT CHARACTER}")
