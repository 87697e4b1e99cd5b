"""Exports to MLflow: one MLflow run per run, in an MLflow experiment of the same name."""

import os
from collections.abc import Sequence
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.tracking import MlflowClient

from landscape.errors import UserError
from landscape.export.trackers import ExportResult, TrackedRun
from landscape.storage import disk

_BATCH = 1000  # metrics per call
_LONGEST = 6000  # characters per parameter value


def write(runs: Sequence[TrackedRun], directory: Path, destination: str | None) -> ExportResult:
    """Writes the runs to a tracking server or database; see `landscape.export.trackers.export`."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # default: minutes
    uri = destination or os.environ.get("MLFLOW_TRACKING_URI")
    inside = uri is None
    if inside:
        disk.refuse_links(directory, directory.glob("mlflow.db*"))  # SQLite's journals as well
    uri = uri or f"sqlite:///{(directory / 'mlflow.db').resolve()}"
    client = MlflowClient(tracking_uri=uri)
    experiment_id = _experiment_id(client, runs[0].experiment, directory, uri)
    if inside:
        _refuse_other_artifacts(client, experiment_id, directory)
    known = {run.data.tags.get("landscape") for run in _all_runs(client, experiment_id)}
    new = [run for run in runs if run.version not in known]
    for run in new:
        _write(client, experiment_id, run)
    return ExportResult(uri, len(new), len(runs) - len(new))


def _experiment_id(client: MlflowClient, name: str, directory: Path, uri: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return experiment.experiment_id
    # A server knows where artifacts go; for a database it must be set.
    local = uri.startswith(("sqlite:", "file:"))
    artifacts = _artifacts(directory) if local else None
    return client.create_experiment(name, artifact_location=artifacts)


def _refuse_other_artifacts(client: MlflowClient, experiment_id: str, directory: Path) -> None:
    """Raises UserError if the database in the folder stores files elsewhere.

    It does if the folder was moved, or if someone else has made the database.
    """
    place = client.get_experiment(experiment_id).artifact_location
    if place != _artifacts(directory):
        raise UserError(
            f"`{directory / 'mlflow.db'}` stores files in {place}, outside of the folder",
            hint="delete mlflow.db and mlflow_artifacts, or name a tracking URI with --at",
        )


def _artifacts(directory: Path) -> str:
    return (directory / "mlflow_artifacts").resolve().as_uri()


def _all_runs(client: MlflowClient, experiment_id: str) -> list[mlflow.entities.Run]:
    page = client.search_runs([experiment_id])
    runs = list(page)
    while page.token:
        page = client.search_runs([experiment_id], page_token=page.token)
        runs += page
    return runs


def _write(client: MlflowClient, experiment_id: str, run: TrackedRun) -> None:
    """Writes a run; the tags come last, so that an interrupted export is repeated."""
    mlflow_run = client.create_run(experiment_id, run_name=run.name)
    run_id = mlflow_run.info.run_id
    params = [Param(key, str(value)[:_LONGEST]) for key, value in run.params.items()]
    client.log_batch(run_id, params=params)
    metrics = [
        Metric(name, value, 0, step)
        for name, column in run.metrics.items()
        for step, value in column.items()
    ]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
    for path in run.artifacts:
        client.log_artifact(run_id, str(path))
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in run.tags.items()])
    client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))
