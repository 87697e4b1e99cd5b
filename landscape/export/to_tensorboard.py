"""Exports to TensorBoard: event files with scalars by step, hyperparameters, configs, figures."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.metadata import (
    PLUGIN_NAME,
    SESSION_END_INFO_TAG,
    SESSION_START_INFO_TAG,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from landscape.errors import UserError, printable
from landscape.export.trackers import ExportResult, TrackedRun
from landscape.storage import disk, safe_reading

_EVENTS = "events.out.tfevents.*"


def write(runs: Sequence[TrackedRun], directory: Path, destination: str | None) -> ExportResult:
    """Writes one folder of events per run and replaces older events; see `trackers.export`."""
    root = Path(destination) if destination else directory / "tensorboard"
    folder = root / runs[0].experiment
    target, results = folder.resolve(), directory.resolve()
    if any(target.is_relative_to(results / name) for name in ("runs", "report")):
        raise UserError(
            f"`{folder}` is inside the results of the experiment", hint="choose another folder"
        )
    _refuse_links(root, directory, [folder / name for name in (*(r.name for r in runs), "figures")])
    known = 0
    for run in runs:
        known += _write(folder / run.name, [*_scalars(run), *_texts(run), *_hyperparameters(run)])
    figures = _figures(directory)
    if figures:
        _write(folder / "figures", [_image(path) for path in figures])
    return ExportResult(str(folder), len(runs) - known, known)


def _figures(directory: Path) -> list[Path]:
    """Returns the figures of the report, without links, which could lead to other pictures."""
    paths = sorted((directory / "report" / "figures").glob("*.png"))
    try:
        disk.refuse_links(directory, paths)
    except UserError:
        return []
    return paths


def _refuse_links(root: Path, directory: Path, folders: Sequence[Path]) -> None:
    """Raises UserError if a folder, a file in it or a folder on the way to it is a symbolic link.

    The way starts at the experiment's folder if `root` is inside, else at `root`.
    """
    ways = (root.absolute(), *root.absolute().parents)
    start = next((place for place in ways if _is_same(place, directory)), root.absolute())
    absolute = [folder.absolute() for folder in folders]
    disk.refuse_links(start, absolute)
    disk.refuse_links(start, (path for folder in absolute for path in folder.glob(_EVENTS)))


def _is_same(place: Path, directory: Path) -> bool:
    return place.exists() and place.samefile(directory)


def _write(folder: Path, events: Sequence[Event]) -> bool:
    """Replaces the event files of a folder; returns whether there were any."""
    older = list(folder.glob(_EVENTS))
    for path in older:
        path.unlink()
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()
    return bool(older)


def _scalars(run: TrackedRun) -> Iterator[Event]:
    for name, column in run.metrics.items():
        for step, value in column.items():
            yield _event(Summary.Value(tag=name, simple_value=value), step)


def _texts(run: TrackedRun) -> Iterator[Event]:
    """Yields the YAML and JSON files of a run as text."""
    for path in run.artifacts:
        if path.suffix in (".yaml", ".json"):
            metadata = SummaryMetadata(plugin_data={"plugin_name": "text"})
            content = safe_reading.read_text(path, errors="replace")
            tensor = TensorProto(dtype=DT_STRING, string_val=[_verbatim(content).encode()])
            yield _event(Summary.Value(tag=path.name, tensor=tensor, metadata=metadata), 0)


def _verbatim(text: str) -> str:
    """Returns Markdown that shows a text as it is: the fence is longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{printable(text)}\n{fence}"


def _hyperparameters(run: TrackedRun) -> Iterator[Event]:
    start = SessionStartInfo(group_name=run.name)
    for name, value in run.params.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = str(value)
    yield _session(SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start))
    end = SessionEndInfo(status=STATUS_SUCCESS)
    yield _session(SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))


def _session(tag: str, data: HParamsPluginData) -> Event:
    plugin = {"plugin_name": PLUGIN_NAME, "content": data.SerializeToString()}
    return _event(Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin)), 0)


def _image(path: Path) -> Event:
    image = Summary.Image(encoded_image_string=safe_reading.read_bytes(path))
    return _event(Summary.Value(tag=path.stem, image=image), 0)


def _event(value: Summary.Value, step: int) -> Event:
    return Event(summary=Summary(value=[value]), step=step)
