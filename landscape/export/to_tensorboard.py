"""To TensorBoard: event files with scalars by step, hyperparameters, configs and figures."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import summary as hyperparameters
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from landscape.export import Exported, Finished, last


def write(runs: Sequence[Finished], directory: Path, destination: str | None) -> Exported:
    """Writes a folder of events for each run, in place of an older one; see `export`."""
    folder = Path(destination) if destination else directory / "tensorboard"
    known = 0
    for run in runs:
        place = folder / run.name
        known += place.exists()
        shutil.rmtree(place, ignore_errors=True)
        _write(place, [*_scalars(run), *_texts(run), *_hyperparameters(run)])
    figures = sorted((directory / "report" / "figures").glob("*.png"))
    if figures:
        shutil.rmtree(folder / "report", ignore_errors=True)
        _write(folder / "report", [_image(path) for path in figures])
    return Exported(str(folder), len(runs) - known, known)


def _write(folder: Path, events: Sequence[Event]) -> None:
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()


def _scalars(run: Finished) -> Iterator[Event]:
    for name, pairs in run.metrics.items():
        for step, value in pairs:
            yield _event(Summary.Value(tag=name, simple_value=value), step)


def _texts(run: Finished) -> Iterator[Event]:
    """The small files of a run that are text."""
    for path in run.artifacts:
        if path.suffix in (".yaml", ".json"):
            metadata = SummaryMetadata(plugin_data={"plugin_name": "text"})
            text = f"```\n{path.read_text(encoding='utf-8', errors='replace')}\n```".encode()
            tensor = TensorProto(dtype=DT_STRING, string_val=[text])
            yield _event(Summary.Value(tag=path.name, tensor=tensor, metadata=metadata), 0)


def _hyperparameters(run: Finished) -> Iterator[Event]:
    params = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in run.params.items()}
    metrics = [hyperparameters.hparams_pb2.MetricInfo(name={"tag": name}) for name in last(run)]
    domains = [hyperparameters.hparams_pb2.HParamInfo(name=name) for name in params]
    for part in (
        hyperparameters.experiment_pb(hparam_infos=domains, metric_infos=metrics),
        hyperparameters.session_start_pb(params),
        hyperparameters.session_end_pb(hyperparameters.api_pb2.STATUS_SUCCESS),
    ):
        yield Event(summary=part)


def _image(path: Path) -> Event:
    image = Summary.Image(encoded_image_string=path.read_bytes())
    return _event(Summary.Value(tag=path.stem, image=image), 0)


def _event(value: Summary.Value, step: int) -> Event:
    return Event(summary=Summary(value=[value]), step=step)
