"""To MLflow: a run of its own for each, in an experiment of the same name."""

import os
from collections.abc import Sequence
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.tracking import MlflowClient

from landscape.export.trackers import Exported, Finished

_AT_ONCE = 1000  # metrics that one call may carry
_LONGEST = 6000  # characters of a parameter's value


def write(runs: Sequence[Finished], directory: Path, destination: str | None) -> Exported:
    """Writes the runs to a tracking server or database; see `landscape.export.trackers.export`."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # by default for minutes
    uri = destination or os.environ.get("MLFLOW_TRACKING_URI")
    uri = uri or f"sqlite:///{(directory / 'mlflow.db').resolve()}"
    client = MlflowClient(tracking_uri=uri)
    experiment = _experiment(client, runs[0].experiment, directory, uri)
    known = {run.data.tags.get("landscape") for run in _all(client, experiment)}
    new = [run for run in runs if run.version not in known]
    for run in new:
        _write(client, experiment, run)
    return Exported(uri, len(new), len(runs) - len(new))


def _experiment(client: MlflowClient, name: str, directory: Path, uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    # A database says nothing of where files go; a server knows.
    local = uri.startswith(("sqlite:", "file:"))
    place = (directory / "mlflow_artifacts").resolve().as_uri() if local else None
    return client.create_experiment(name, artifact_location=place)


def _all(client: MlflowClient, experiment: str) -> list[mlflow.entities.Run]:
    found: list[mlflow.entities.Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _write(client: MlflowClient, experiment: str, run: Finished) -> None:
    """Tags last: what was cut off in the middle is not known, and is written again."""
    made = client.create_run(experiment, run_name=run.name)
    number = made.info.run_id
    params = [Param(key, str(value)[:_LONGEST]) for key, value in run.params.items()]
    client.log_batch(number, params=params)
    metrics = [
        Metric(name, value, 0, step) for name, pairs in run.metrics.items() for step, value in pairs
    ]
    for start in range(0, len(metrics), _AT_ONCE):
        client.log_batch(number, metrics=metrics[start : start + _AT_ONCE])
    for path in run.artifacts:
        client.log_artifact(number, str(path))
    client.log_batch(number, tags=[RunTag(key, value) for key, value in run.tags.items()])
    client.set_terminated(number, RunStatus.to_string(RunStatus.FINISHED))
