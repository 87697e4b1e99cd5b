"""Exports the finished runs of an experiment: parameters, metrics by step, artifacts, tags."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from landscape.errors import StorageError, UserError, first_line
from landscape.report import recordings
from landscape.report.results import Results, StoredRun, read
from landscape.storage import disk, safe_reading, store
from landscape.storage.recordings import folder_name, is_recording

# Files that are not exported: they describe the progress of a run, not its results.
_INTERNAL_FILES = (store.STATUS, store.PROGRESS)
# Names under which the trackers write in the experiment's folder by default.
_DEFAULT_DESTINATIONS = ("mlflow.db", "mlflow_artifacts", "tensorboard", "wandb")


@dataclass(frozen=True)
class TrackedRun:
    """A finished run in the terms of a tracker.

    `version` is its name and a digest of its results, so it changes when the run is measured again.
    `params` are the settings of its config by dotted name; `metrics` is its trace, one row per
    step; `tags` are its loss, status and version; `artifacts` are its files.
    """

    name: str
    version: str
    experiment: str
    params: Mapping[str, Any]
    metrics: pd.DataFrame
    tags: Mapping[str, str]
    artifacts: tuple[Path, ...]


@dataclass(frozen=True)
class ExportResult:
    """The destination, the numbers of new runs and of runs already there, and unreadable runs.

    `unreadable` maps the names of runs that were left out to the reasons. `warnings` name files
    that were changed or cannot be verified.
    """

    destination: str
    new: int
    known: int
    unreadable: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def export(directory: Path, tracker: str, destination: str | None = None) -> ExportResult:
    """Writes every finished run of an experiment to a tracker, except runs that are already there.

    `destination` is a tracking URI for `mlflow` (default: that of the environment, else a database
    in the folder), a folder for `tensorboard`, and a project for `wandb`. Raises UserError if the
    tracker is not installed or fails, or if the folder has no finished run; StorageError if files
    cannot be written.
    """
    source = _recordings(directory) if is_recording(directory) else _runs(directory)
    disk.refuse_links(directory, (directory / name for name in _DEFAULT_DESTINATIONS))
    try:
        module = importlib.import_module(f"landscape.export.to_{tracker}")
    except ImportError as error:
        raise UserError(
            f"export to {tracker} requires the package `{error.name}`",
            hint=f"pip install 'landscape[{tracker}]'",
        ) from None
    try:
        exported = module.write(source.runs, directory, destination)
    except UserError:
        raise
    except OSError as error:
        raise StorageError(f"export to {tracker} failed: {first_line(error)}") from error
    except Exception as error:  # such as a server that does not answer
        raise UserError(f"export to {tracker} failed: {first_line(error)}") from error
    return replace(exported, unreadable=source.unreadable, warnings=source.warnings)


class _Source(NamedTuple):
    runs: list[TrackedRun]
    unreadable: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def _runs(directory: Path) -> _Source:
    results = read(directory)
    return _Source([*tracked_runs(results)], results.unreadable, results.warnings)


def _recordings(directory: Path) -> _Source:
    """Returns the recorded loops that have ended; their settings are those of the recorder."""
    loops, unreadable = recordings.read(directory)
    runs = []
    for loop in loops:
        if loop.closed:
            settings = asdict(loop.record)
            folder = store.run_folder(directory, folder_name(loop.label))
            runs.append(_tracked(loop.run, directory, folder, settings))
    return _Source(runs, unreadable)


def tracked_runs(results: Results) -> Iterator[TrackedRun]:
    """Yields the finished runs of an experiment in the terms of a tracker."""
    return (_tracked_run(run, results.directory) for run in results.runs if run.counted)


def _tracked_run(run: StoredRun, directory: Path) -> TrackedRun:
    folder = store.run_folder(directory, run.name)
    config = run.config.model_dump(mode="json", exclude={"id", "folder"}) if run.config else {}
    return _tracked(run, directory, folder, config)


def _tracked(
    run: StoredRun, directory: Path, folder: Path, settings: Mapping[str, Any]
) -> TrackedRun:
    version = f"{run.name}:{store.digest(folder)}"
    tags = {"loss": run.loss, "status": run.status, "landscape": version}
    files = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return TrackedRun(
        name=run.name,
        version=version,
        experiment=directory.resolve().name,
        params=dict(_flat(settings)),
        metrics=run.trace.astype({"step": int}).set_index("step").astype(float),
        tags=tags,
        artifacts=tuple(path for path in files if _is_exported(path)),
    )


def _is_exported(path: Path) -> bool:
    """Returns whether to export a file: no internal, no huge one, and no link out of the folder."""
    if path.name in _INTERNAL_FILES or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size <= safe_reading.largest(path.name)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the leaves of nested mappings by dotted name; lists become text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = prefix if key == "options" else f"{prefix}.{key}" if prefix else str(key)
            yield from _flat(item, inner)
    elif isinstance(value, list | tuple):
        yield prefix, str(value)
    else:
        yield prefix, value
