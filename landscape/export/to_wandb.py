"""To Weights & Biases: offline by default, so that nothing leaves the machine unasked."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import wandb

from landscape.export import Exported, Finished, last


def write(runs: Sequence[Finished], directory: Path, destination: str | None) -> Exported:
    """Writes the runs to a project; see `export`.

    `WANDB_MODE=online` sends them; otherwise they lie in the folder `wandb` until `wandb sync`
    does. Each has an id of its own that follows from its name, so that sending it twice is once.
    """
    project = destination or "landscape"
    os.environ.setdefault("WANDB_MODE", "offline")
    os.environ.setdefault("WANDB_SILENT", "true")
    mark = directory / "wandb" / f"exported-{project}"
    known = set(mark.read_text(encoding="utf-8").split()) if mark.exists() else set()
    new = [run for run in runs if run.name not in known]
    for run in new:
        _write(run, directory, project)
        with mark.open("a", encoding="utf-8") as file:
            file.write(f"{run.name}\n")
    where = "" if os.environ["WANDB_MODE"] == "online" else f", in {directory / 'wandb'}"
    return Exported(f"project {project}{where}", len(new), len(runs) - len(new))


def _write(run: Finished, directory: Path, project: str) -> None:
    with wandb.init(
        project=project,
        group=run.experiment,
        name=run.name,
        id=hashlib.sha256(f"{run.experiment}/{run.name}".encode()).hexdigest()[:16],
        resume="allow",
        dir=str(directory),
        config=dict(run.params),
        tags=[run.tags["status"]],
        settings=wandb.Settings(console="off", x_disable_stats=True, save_code=False),
    ) as made:
        for step in sorted({step for pairs in run.metrics.values() for step, _ in pairs}):
            made.log(_at(run, step), step=step)
        made.summary.update(last(run))
        artifact = wandb.Artifact(f"run-{made.id}", type="run", metadata=dict(run.tags))
        for path in run.artifacts:
            artifact.add_file(str(path), name=path.name)
        made.log_artifact(artifact)


def _at(run: Finished, step: int) -> dict[str, float]:
    return {name: dict(pairs)[step] for name, pairs in run.metrics.items() if step in dict(pairs)}
