"""What is missing of an experiment, from what lies in its folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from landscape import config
from landscape.config import AcrossSettings, Run, same_training
from landscape.errors import UserError
from landscape.storage import store
from landscape.storage.records import CrossRunRecord


class Planned(NamedTuple):
    """What is to be done with a run, which files of it are damaged, and what it was called.

    `action` is `new`; `measure`: trained, but not measured as it is asked for now; `retry`; or the
    status that is kept: `done`, `diverged`, `failed`. `folder`: the id of the run's folder, which
    is another where the config that made it swept other keys. `renamed`: whether what its config
    says of its name is no longer true.
    """

    action: str
    folder: str
    damaged: tuple[str, ...] = ()
    renamed: bool = False

    @property
    def pending(self) -> bool:
        """Whether there is anything to do."""
        return self.trains or self.action == "measure"

    @property
    def trains(self) -> bool:
        """Whether the run is trained, and not only measured."""
        return self.action in ("new", "retry")


def plan(
    runs: Sequence[Run], directory: Path, *, fresh: bool, retry_failed: bool
) -> dict[str, Planned]:
    """What is to be done with each run, by id."""
    if fresh:
        return {run.id: Planned("new", run.id) for run in runs}
    known = {run.id for run in runs}
    spare = {same_training(name): name for name in store.run_names(directory) if name not in known}
    return {run.id: _decide(run, directory, spare, retry_failed) for run in runs}


def _decide(run: Run, directory: Path, spare: Mapping[str, str], retry_failed: bool) -> Planned:
    name = run.id
    if not store.run_folder(directory, name).exists():
        name = spare.get(same_training(name), name)
    folder = store.run_folder(directory, name)
    stored = _stored(folder)
    action, damaged = _action(run, folder, stored, retry_failed)
    if stored is None or action == "new":
        return Planned(action, name, damaged)
    renamed = (stored.id, stored.loss.label) != (run.id, run.loss.label)
    return Planned(action, name, damaged, renamed)


def _stored(folder: Path) -> Run | None:
    try:
        return config.read_run(folder / "config.yaml")
    except UserError:
        return None


def _action(
    run: Run, folder: Path, stored: Run | None, retry_failed: bool
) -> tuple[str, tuple[str, ...]]:
    """What is to be done with the run in this folder, and which files of it are damaged."""
    status = store.read_status(folder)
    if status is None:
        return "new", (store.STATUS,) if (folder / store.STATUS).exists() else ()
    damaged = tuple(store.damaged(folder))
    if status == "failed":
        return "retry" if retry_failed else "failed", ()
    if set(damaged) & {*store.TRAINING}:
        return "new", damaged
    if status == store.TRAINED:
        return "measure", ()
    if damaged or not store.readable(folder, _asked(run)):
        return "measure", damaged
    if stored is None:
        return "measure", ("config.yaml",)
    return status if stored.measurement == run.measurement else "measure", ()


def finished(run: Run, folder: Path) -> str | None:
    """`done` or `diverged` where everything of the run is there as it is asked for now."""
    action, _ = _action(run, folder, _stored(folder), False)
    return action if action in store.FINISHED else None


def done(runs: Sequence[Run], directory: Path) -> list[Run]:
    """The runs that are done."""
    return [r for r in runs if store.read_status(store.run_folder(directory, r.id)) == "done"]


def across_key(asked: AcrossSettings, runs: Sequence[Run]) -> str:
    """What is measured across which runs, all done."""
    names = sorted([run.id, run.loss.label] for run in runs)
    return json.dumps([asked.model_dump(mode="json"), names])


def across_missing(asked: AcrossSettings, runs: Sequence[Run], directory: Path) -> bool:
    """Whether there is something to measure across these runs, all done, that is not there yet."""
    try:
        key = store.read_record(directory / "across.json", CrossRunRecord).key
    except (OSError, ValueError):
        key = None
    return bool(runs) and key != across_key(asked, runs)


def _asked(run: Run) -> list[str]:
    """The files that a finished run has for what its config asks to be measured."""
    asked = {"slices.npz": run.slices, "curvature.json": run.curvature, "audit.json": run.audit}
    return [name for name, value in asked.items() if value]
