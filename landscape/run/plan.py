"""Decides from the contents of an experiment's folder which runs remain."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from landscape import catalog, config
from landscape.config import AcrossSettings, Experiment, Part, Run, same_training
from landscape.config.run_identity import TRAINING_FIELDS
from landscape.errors import UserError
from landscape.storage import contents, experiment_folder, safe_reading, store
from landscape.storage.contents import Contents
from landscape.storage.records import CrossRunRecord

_MEASUREMENTS = ("slices", "curvature", "audit", "judged", "measurement")


class Planned(NamedTuple):
    """The action for a run, its damaged files, and its folder.

    `action` is `new`, `retry`, `measure` (trained, but not measured as configured now), or the
    status that is kept: `done`, `diverged`, `failed`. `folder` is the id of the run's folder, which
    differs from the run's id if the config that made it swept other keys. `renamed`: the run as its
    config must be stored again, if its id, label or `stop` is outdated. `changed`: the settings and
    files that have changed since a run of the same name was trained.
    """

    action: str
    folder: str
    damaged: tuple[str, ...] = ()
    renamed: Run | None = None
    changed: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether any work remains."""
        return self.trains or self.action == "measure"

    @property
    def trains(self) -> bool:
        """Whether the run is trained, not only measured."""
        return self.action in ("new", "retry")


def plan(
    runs: Sequence[Run],
    directory: Path,
    *,
    fresh: bool,
    retry_failed: bool,
    listed: Contents | None = None,
    keep_more: bool = False,
    others: Iterable[str] = (),
) -> dict[str, Planned]:
    """Returns the action for each run, by id.

    A run is performed again if its status is not as `listed`, by default when the last command
    ended. `keep_more`: whether a run that needs no measurements may have some.
    `others`: ids of runs that stay as they are, such as those of earlier stages.
    """
    if fresh:
        return {run.id: Planned("new", run.id) for run in runs}
    ids = {run.id for run in runs} | {*others}
    unused = [name for name in experiment_folder.run_ids(directory) if name not in ids]
    trainings = {same_training(name): name for name in unused}
    listed = listed or contents.read(directory)
    plans = {run.id: _plan_run(run, listed, trainings, retry_failed, keep_more) for run in runs}
    namesakes = {_without_digest(name): name for name in unused}
    for run in runs:
        namesake = namesakes.get(_without_digest(run.id))
        if plans[run.id].action == "new" and namesake is not None:
            stored = _stored(store.run_folder(directory, namesake))
            plans[run.id] = plans[run.id]._replace(changed=_changes(run, stored))
    return plans


def _without_digest(run_id: str) -> str:
    return run_id.rpartition("-")[0]


def _changes(run: Run, stored: Run | None) -> tuple[str, ...]:
    """Returns what is different from a stored run of the same name, which was another training."""
    if stored is None:
        return ()
    settings = [name for name in TRAINING_FIELDS if getattr(run, name) != getattr(stored, name)]
    if (run.loss.name, run.loss.options) == (stored.loss.name, stored.loss.options):
        settings = [name for name in settings if name != "loss"]  # another label
    if settings:
        return tuple(f"`{name}`" for name in settings)
    names = (run.loss.name, run.model.name, run.dataset.name, run.optimizer.name)
    files = [_origin(name) for name in names if ":" in name]
    return (" or ".join(f"`{name}`" for name in dict.fromkeys(files)) or "a data file",)


def _origin(name: str) -> str:
    """Returns the file or module of a user-defined part; of an object of Python, its name."""
    module, _, attribute = name.rpartition(":")
    return attribute if catalog.is_python(name) else module


def check_folder(experiment: Experiment, directory: Path, *, fresh: bool) -> None:
    """Raises UserError if the experiment must not be performed in this folder.

    `fresh`: its results are deleted first. Those of another experiment are then no obstacle, but
    the folder must be that of an experiment.
    """
    if fresh:
        experiment_folder.refuse_foreign(directory)
    else:
        refuse_other_experiment(experiment, directory)


def refuse_other_experiment(experiment: Experiment, directory: Path) -> None:
    """Raises UserError if the folder has the results of another config of the same name.

    A config may be edited in place: of dataset, model and losses, all compared by name, it changes
    only one entirely. It may be moved if the dataset and the model are the same and a loss is in
    common.
    """
    path = directory / "experiment.yaml"
    try:
        stored = config.experiment_from(safe_reading.read_text(path), str(path))
    except (OSError, ValueError, UserError):
        return
    if (stored.point is None) != (experiment.point is None):
        held, new = ("looks", "a training") if stored.point else ("trainings", "a look")
        raise UserError(
            f"{directory} has the results of {held}, but `{experiment.name}` is {new}",
            hint="choose another --out or another `name`, or delete them with --fresh",
        )
    if stored.point is not None:  # looks at any models are compared
        return
    losses = {loss.name for loss in stored.losses} & {loss.name for loss in experiment.losses}
    same = (stored.dataset, stored.model) == (experiment.dataset, experiment.model)
    changed = [name for name in ("dataset", "model") if _renamed(name, stored, experiment)]
    changed += [] if losses else ["losses"]
    edited = stored.folder == experiment.folder and len(changed) < 2
    if edited or (same and losses):
        return
    origin = f"from {stored.folder}"
    if stored.folder == experiment.folder:
        origin = f"with other {' and '.join(changed)}"
    raise UserError(
        f"{directory} has the results of another experiment `{stored.name}`, {origin}",
        hint="choose another --out, set `name:` in the config, or delete them with --fresh",
    )


def _renamed(name: str, stored: Experiment, experiment: Experiment) -> bool:
    """Returns whether an experiment names another part than a stored one."""
    former: Part = getattr(stored, name)
    part: Part = getattr(experiment, name)
    return former.name != part.name


def other_looks(runs: Sequence[Run], directory: Path) -> list[Run]:
    """Returns the planned looks of a folder whose labels and ids are not those of `runs`."""
    try:
        names = experiment_folder.read_plan(directory)
    except (OSError, ValueError, RecursionError):
        return []
    labels, ids = {run.loss.label for run in runs}, {run.id for run in runs}
    stored = [_stored(store.run_folder(directory, name)) for name in names if name not in ids]
    return [run for run in stored if run and run.point and run.loss.label not in labels]


def _plan_run(
    run: Run,
    listed: Contents,
    unused: Mapping[str, str],
    retry_failed: bool,
    keep_more: bool,
) -> Planned:
    name, directory = run.id, listed.directory
    if not store.run_folder(directory, name).exists():
        name = unused.get(same_training(name), name)
    folder = store.run_folder(directory, name)
    stored = _stored(folder)
    content = store.status_content(folder)
    if content is not None and listed.status_differs(name, content):
        return Planned("new", name, (store.STATUS,))
    wanted = stored if keep_more and stored and _measured_enough(stored, run) else run
    action, damaged = _action(wanted, folder, stored, retry_failed)
    if stored is None or action == "new":
        return Planned(action, name, damaged)
    renamed = _naming(stored) != _naming(run)
    return Planned(action, name, damaged, _as_measured(run, stored) if renamed else None)


def _as_measured(run: Run, stored: Run) -> Run:
    """Returns a run with the measurements that were made when it was stored."""
    return run.model_copy(update={name: getattr(stored, name) for name in _MEASUREMENTS})


def _measured_enough(stored: Run, run: Run) -> bool:
    """Returns whether a stored run has everything that a run without measurements needs."""
    unmeasured = run.slices is None and run.curvature is None and not run.audit
    return unmeasured and stored.judged >= run.judged


def _naming(run: Run) -> tuple[str, ...]:
    """Returns the fields of a run's config that may change without a measurement."""
    return run.id, run.loss.label, run.stop


def _stored(folder: Path) -> Run | None:
    try:
        return config.run_from(safe_reading.read_text(folder / "config.yaml"))
    except (OSError, ValueError, UserError):
        return None


def _action(
    run: Run, folder: Path, stored: Run | None, retry_failed: bool
) -> tuple[str, tuple[str, ...]]:
    """Returns the action for the run in this folder, and its damaged files."""
    status = store.read_status(folder)
    if status is None:
        return "new", (store.STATUS,) if safe_reading.exists(folder / store.STATUS) else ()
    damaged = tuple(store.damaged(folder))
    if status == "failed":
        return "retry" if retry_failed else "failed", ()
    if set(damaged) & {*store.TRAINING}:
        return "new", damaged
    if status == store.TRAINED:
        return "measure", ()
    if damaged or not store.readable(folder, _measured_files(run)):
        return "measure", damaged
    if stored is None:
        return "measure", ("config.yaml",)
    return status if stored.measurement == run.measurement else "measure", ()


def finished(run: Run, folder: Path) -> str | None:
    """Returns `done` or `diverged` if the run is complete as configured now, else None."""
    action, _ = _action(run, folder, _stored(folder), False)
    return action if action in store.FINISHED else None


def done(runs: Sequence[Run], directory: Path) -> list[Run]:
    """Returns the runs that are done."""
    return [r for r in runs if store.read_status(store.run_folder(directory, r.id)) == "done"]


def across_key(settings: AcrossSettings, runs: Sequence[Run]) -> str:
    """Identifies the measurements across these runs, all done."""
    names = sorted([run.id, run.loss.label] for run in runs)
    return json.dumps([settings.model_dump(mode="json"), names])


def across_missing(settings: AcrossSettings, runs: Sequence[Run], directory: Path) -> bool:
    """Returns whether measurements across these runs, all done, are missing or out of date."""
    try:
        key = store.read_record(directory / "across.json", CrossRunRecord).key
    except (OSError, ValueError):
        key = None
    return bool(runs) and key != across_key(settings, runs)


def _measured_files(run: Run) -> list[str]:
    """Returns the files that hold the measurements of a finished run."""
    blocks = {"slices.npz": run.slices, "curvature.json": run.curvature, "audit.json": run.audit}
    return [name for name, block in blocks.items() if block]
