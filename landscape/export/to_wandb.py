"""Exports to Weights & Biases, offline by default: nothing is uploaded without a request."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wandb

from landscape.export.trackers import ExportResult, TrackedRun
from landscape.storage import disk, safe_reading


def write(runs: Sequence[TrackedRun], directory: Path, destination: str | None) -> ExportResult:
    """Writes the runs to a project; see `trackers.export`.

    `WANDB_MODE=online` uploads them; otherwise they stay in the folder `wandb` until `wandb sync`.
    The id of a run follows from its name, so that a repeated upload does not duplicate it.
    """
    entity, _, project = (destination or "landscape").rpartition("/")
    os.environ.setdefault("WANDB_MODE", "offline")
    os.environ.setdefault("WANDB_SILENT", "true")
    mode = os.environ["WANDB_MODE"]
    digest = hashlib.sha256(f"{mode} {entity}/{project}".encode()).hexdigest()[:8]
    exported_list = directory / "wandb" / f"exported-{mode}-{digest}"
    _refuse_links(directory, exported_list)
    known = safe_reading.read_text(exported_list).split() if exported_list.exists() else []
    new = [run for run in runs if run.version not in known]
    for run in new:
        _write(run, directory, entity, project)
        known.append(run.version)
        disk.write_text(exported_list, "".join(f"{version}\n" for version in known))
    where = "" if mode == "online" else f", in {directory / 'wandb'}"
    return ExportResult(f"project {destination or project}{where}", len(new), len(runs) - len(new))


def _refuse_links(directory: Path, exported_list: Path) -> None:
    """Raises UserError for a link in the folder `wandb`, except W&B's own to its latest files."""
    folder = exported_list.parent
    place = os.path.realpath(folder)
    leading_out = (
        path for path in folder.glob("*") if not Path(os.path.realpath(path)).is_relative_to(place)
    )
    disk.refuse_links(directory, (exported_list, *leading_out))


def _write(run: TrackedRun, directory: Path, entity: str, project: str) -> None:
    with wandb.init(
        project=project,
        entity=entity or None,
        group=run.experiment,
        name=run.name,
        id=hashlib.sha256(f"{run.experiment}/{run.name}".encode()).hexdigest()[:16],
        resume="allow",
        dir=str(directory),
        config=dict(run.params),
        tags=[run.tags["status"]],
        settings=wandb.Settings(console="off", x_disable_stats=True, save_code=False),
    ) as wandb_run:
        for step, row in run.metrics.sort_index().iterrows():
            wandb_run.log(row.to_dict(), step=step)
        finite = run.metrics[np.isfinite(run.metrics)]
        wandb_run.summary.update(finite.ffill().iloc[-1].dropna().to_dict())
        artifact = wandb.Artifact(f"run-{wandb_run.id}", type="run", metadata=dict(run.tags))
        for path in run.artifacts:
            artifact.add_file(str(path), name=path.name)
        wandb_run.log_artifact(artifact)
