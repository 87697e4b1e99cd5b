"""What is missing of an experiment, from what lies in its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from landscape import config, store
from landscape.config import Run
from landscape.errors import UserError

PENDING = ("new", "measure", "retry")


class Planned(NamedTuple):
    """What is to be done with a run, which files of it are damaged, and whether its label changed.

    `new`; `measure`: trained, but not measured as it is asked for now; `retry`; or the status that
    is kept: `done`, `diverged`, `failed`.
    """

    action: str
    damaged: tuple[str, ...] = ()
    renamed: bool = False

    @property
    def pending(self) -> bool:
        """Whether there is anything to do."""
        return self.action in PENDING


def plan(
    runs: Sequence[Run], directory: Path, *, fresh: bool, retry_failed: bool
) -> dict[str, Planned]:
    """What is to be done with each run, by id."""
    new = Planned("new")
    return {
        run.id: new if fresh else _decide(run, store.run_folder(directory, run.id), retry_failed)
        for run in runs
    }


def _decide(run: Run, folder: Path, retry_failed: bool) -> Planned:
    status = store.read_status(folder)
    if status is None:
        broken = (store.STATUS,) if (folder / store.STATUS).exists() else ()
        return Planned("new", broken)
    damaged = tuple(store.damaged(folder))
    if status == "failed":
        return Planned("retry" if retry_failed else "failed")
    if set(damaged) & {*store.TRAINING}:
        return Planned("new", damaged)
    if status == store.TRAINED:
        return Planned("measure")
    if damaged or not store.readable(folder, _asked(run)):
        return Planned("measure", damaged)
    try:
        stored = config.read_run(folder / "config.yaml")
    except UserError:
        return Planned("measure", ("config.yaml",))
    kept = status if stored.measurement == run.measurement else "measure"
    return Planned(kept, renamed=stored.loss.label != run.loss.label)


def finished(run: Run, folder: Path) -> str | None:
    """`done` or `diverged` where everything of the run is there as it is asked for now."""
    action = _decide(run, folder, False).action
    return action if action in store.FINISHED else None


def _asked(run: Run) -> list[str]:
    """The files that a finished run has for what its config asks to be measured."""
    asked = {"slices.npz": run.slices, "curvature.json": run.curvature, "audit.json": run.audit}
    return [name for name, value in asked.items() if value]
