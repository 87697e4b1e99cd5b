"""To Weights & Biases: offline by default, so that nothing leaves the machine unasked."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import wandb

from landscape.export.trackers import Exported, Finished, last


def write(runs: Sequence[Finished], directory: Path, destination: str | None) -> Exported:
    """Writes the runs to a project; see `export`.

    `WANDB_MODE=online` sends them; otherwise they lie in the folder `wandb` until `wandb sync`
    does. Each has an id of its own that follows from its name, so that sending it twice is once.
    """
    entity, _, project = (destination or "landscape").rpartition("/")
    os.environ.setdefault("WANDB_MODE", "offline")
    os.environ.setdefault("WANDB_SILENT", "true")
    mode = os.environ["WANDB_MODE"]
    name = hashlib.sha256(f"{mode} {entity}/{project}".encode()).hexdigest()[:8]
    mark = directory / "wandb" / f"exported-{mode}-{name}"
    mark.parent.mkdir(exist_ok=True)
    known = set(mark.read_text(encoding="utf-8").split()) if mark.exists() else set()
    new = [run for run in runs if run.version not in known]
    for run in new:
        _write(run, directory, entity, project)
        with mark.open("a", encoding="utf-8") as file:
            file.write(f"{run.version}\n")
    where = "" if mode == "online" else f", in {directory / 'wandb'}"
    return Exported(f"project {destination or project}{where}", len(new), len(runs) - len(new))


def _write(run: Finished, directory: Path, entity: str, project: str) -> None:
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
    ) as made:
        for step, row in _rows(run).items():
            made.log(row, step=step)
        made.summary.update(last(run))
        artifact = wandb.Artifact(f"run-{made.id}", type="run", metadata=dict(run.tags))
        for path in run.artifacts:
            artifact.add_file(str(path), name=path.name)
        made.log_artifact(artifact)


def _rows(run: Finished) -> dict[int, dict[str, float]]:
    """All metrics by step, in the order of the steps."""
    found: dict[int, dict[str, float]] = {}
    for name, pairs in run.metrics.items():
        for step, value in pairs:
            found.setdefault(step, {})[name] = value
    return dict(sorted(found.items()))
