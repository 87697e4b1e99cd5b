"""Hands the finished runs of an experiment to a tracker: parameters, metrics by step, artifacts."""

import importlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from landscape.errors import StorageError, UserError, first_line
from landscape.report.results import Results, StoredRun, read
from landscape.storage import store

# Of a run's files these stay at home: they say how it was made, not what it is.
_OWN = (store.STATUS, store.PROGRESS)
# Where a tracker writes inside the folder, if it is not sent elsewhere.
_PLACES = ("mlflow.db", "mlflow_artifacts", "tensorboard", "wandb")


@dataclass(frozen=True)
class Finished:
    """A finished run as a tracker takes it.

    `version` is its name and a digest of its results, another one where it was measured anew.
    `params` are the settings of its config by dotted names; `metrics` the columns of its trace,
    each as pairs of step and value; `tags` say what it is, `artifacts` are its files.
    """

    name: str
    version: str
    experiment: str
    params: Mapping[str, Any]
    metrics: Mapping[str, tuple[tuple[int, float], ...]]
    tags: Mapping[str, str]
    artifacts: tuple[Path, ...]


@dataclass(frozen=True)
class Exported:
    """Where the runs are now, how many are new there, and how many were there before.

    `unreadable`: why each run was left out that could not be read.
    """

    destination: str
    new: int
    known: int
    unreadable: Mapping[str, str] = field(default_factory=dict)


def export(directory: Path, tracker: str, destination: str | None = None) -> Exported:
    """Writes every finished run of an experiment's folder to a tracker.

    `destination`: for `mlflow` a tracking URI, by default that of the environment, else a database
    in the folder; for `tensorboard` a folder, for `wandb` a project. A run that is there already
    is not written twice. UserError where the tracker is not installed, or the folder holds no
    finished run; StorageError where its files cannot be written.
    """
    found = read(directory)
    runs = tuple(finished(found))
    store.refuse_links(directory / name for name in _PLACES)
    try:
        module = importlib.import_module(f"landscape.export.to_{tracker}")
    except ImportError as error:
        raise UserError(
            f"exporting to {tracker} needs the package {error.name}",
            hint=f"pip install 'landscape[{tracker}]'",
        ) from None
    try:
        exported = module.write(runs, directory, destination)
    except UserError:
        raise
    except OSError as error:
        raise StorageError(f"{tracker} did not take the runs: {first_line(error)}") from error
    except Exception as error:  # such as a server that does not answer
        raise UserError(f"{tracker} did not take the runs: {first_line(error)}") from error
    return replace(exported, unreadable=found.unreadable)


def finished(results: Results) -> Iterator[Finished]:
    """The finished runs of an experiment, as a tracker takes them."""
    return (_finished(run, results.directory) for run in results.runs if run.counted)


def _finished(run: StoredRun, directory: Path) -> Finished:
    folder = store.run_folder(directory, run.name)
    config = {key: value for key, value in run.config.items() if key not in ("id", "folder")}
    version = f"{run.name}:{store.digest(folder)}"
    tags = {"loss": run.loss, "status": run.status, "landscape": version}
    files = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return Finished(
        name=run.name,
        version=version,
        experiment=directory.resolve().name,
        params=dict(_flat(config)),
        metrics={name: _by_step(run, name) for name in run.trace.columns if name != "step"},
        tags=tags,
        artifacts=tuple(p for p in files if _kept(p)),
    )


def _kept(path: Path) -> bool:
    """A plain file of the run itself: a link in somebody else's folder could lead anywhere."""
    return path.is_file() and not path.is_symlink() and path.name not in _OWN


def _by_step(run: StoredRun, name: str) -> tuple[tuple[int, float], ...]:
    steps = run.trace["step"].astype(int)
    return tuple(zip(steps.tolist(), run.column(name).tolist(), strict=True))


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by dotted names; lists stay whole, as text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = prefix if key == "options" else f"{prefix}.{key}" if prefix else str(key)
            yield from _flat(item, inner)
    elif isinstance(value, list | tuple):
        yield prefix, str(value)
    else:
        yield prefix, value


def last(run: Finished) -> dict[str, float]:
    """The last finite value of each metric."""
    found = {}
    for name, pairs in run.metrics.items():
        finite = [value for _, value in pairs if math.isfinite(value)]
        if finite:
            found[name] = finite[-1]
    return found
