"""The folder of an experiment: its plan and its runs, and what may be deleted from it."""

import contextlib
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from landscape.errors import UserError, last_line
from landscape.storage import disk, safe_reading, schema, store
from landscape.storage.records import MOST_FOLDERS, Plan

# The process that works on the folder, and the digests of what the folder holds.
HELD, CONTENTS = "held.json", "contents.json"
# The files of the experiment itself, whose digests are listed.
FILES = ("experiment.yaml", "plan.json", "across.json", "compare.json", "maps.json")
# Nothing else in the folder is ever deleted.
_CONTENTS = ("runs", "report", *FILES, CONTENTS)

_SHOWN_EXPERIMENTS = 8


def write_plan(experiment: Path, run_ids: Iterable[str]) -> None:
    """Writes the ids of the runs that belong to the experiment, in the order of the config."""
    store.write_record(experiment / "plan.json", tuple(run_ids))


def read_plan(experiment: Path) -> list[str]:
    """Returns the planned run ids; without a plan, the ids of all run folders.

    Raises OSError or ValueError if the plan cannot be read, if an id is listed twice or is not
    valid (a plan from elsewhere must not lead out of its folder), or if `runs` is a link.
    """
    safe_reading.require_folder(experiment / "runs")
    plan = experiment / "plan.json"
    if not safe_reading.exists(plan):
        return run_ids(experiment)
    return list(schema.from_text(safe_reading.read_bytes(plan), Plan))


def planned_runs(experiment: Path) -> list[str]:
    """Returns the planned run ids, see `read_plan`.

    Raises UserError if the folder is missing or has no runs, with the experiments in it, or if its
    plan cannot be read.
    """
    if not experiment.is_dir():
        raise UserError(
            f"`{experiment}` is not a folder", hint="pass the folder of an experiment: runs/NAME"
        )
    try:
        safe_reading.require_folder(experiment / "runs")
    except safe_reading.UnreadableFile as error:
        raise UserError(
            f"`{experiment}` cannot be read: {error}",
            hint="`runs` must be a folder that you may read; `--out` writes to another place",
        ) from None
    try:
        names = read_plan(experiment)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"`{experiment / 'plan.json'}` cannot be read: {last_line(str(error))}",
            hint="run the experiment again: finished runs are kept",
        ) from error
    if not names:
        raise UserError(
            f"`{experiment}` has no runs: `{experiment / 'runs'}` is empty or missing",
            hint=_experiments_in(experiment),
        )
    return names


def _experiments_in(parent: Path) -> str:
    """Returns a hint with the experiments in a folder, such as `runs/quickstart` in `runs`."""
    names = []
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in itertools.islice(entries, MOST_FOLDERS):
            is_experiment = entry.is_dir() and (Path(entry.path) / "experiment.yaml").is_file()
            names += [f"`{parent / entry.name}`"] if is_experiment else []
    if not names:
        return "train some with `landscape run CONFIG`, or pass the folder of an experiment"
    names = sorted(names)
    more = f" and {len(names) - _SHOWN_EXPERIMENTS} more" if names[_SHOWN_EXPERIMENTS:] else ""
    return f"experiments in it: {', '.join(names[:_SHOWN_EXPERIMENTS])}{more}"


def run_ids(experiment: Path) -> list[str]:
    """Returns the ids of all run folders, planned or not, without symbolic links.

    Raises UnreadableFile if `runs` is a link, or if it has more folders than an experiment has.
    """
    folder = experiment / "runs"
    safe_reading.require_folder(folder)
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    if len(names) > MOST_FOLDERS:
        raise safe_reading.UnreadableFile(
            f"`runs` has {len(names):,} folders, at most {MOST_FOLDERS:,} are read"
        )
    return names


def move_run(experiment: Path, old: str, new: str) -> None:
    """Renames a run's folder to another id. Raises StorageError if that fails."""
    with disk.storing(store.run_folder(experiment, new)):
        store.run_folder(experiment, old).rename(store.run_folder(experiment, new))


def written_paths(experiment: Path, run_ids: Iterable[str]) -> Iterator[Path]:
    """Yields the folders and files that a command with these runs writes to, if they exist."""
    yield from (experiment / name for name in _CONTENTS)
    for run_id in run_ids:
        folder = store.run_folder(experiment, run_id)
        yield folder
        if folder.is_dir() and not folder.is_symlink():
            yield from folder.iterdir()


def refuse_foreign(experiment: Path) -> None:
    """Raises UserError if the folder is neither empty nor that of an experiment."""
    names = {path.name for path in experiment.glob("[!.]*")} - {HELD}
    if names and not (experiment / "experiment.yaml").is_file():
        raise UserError(
            f"{experiment} is not an experiment folder; nothing was deleted",
            hint="choose another --out, or another `name` in the config",
        )


@contextlib.contextmanager
def cleared(experiment: Path) -> Iterator[None]:
    """Deletes all results in the folder: at once by name, their files while the block runs.

    Deleting the files of a sweep takes seconds. What cannot be deleted, or is left by a process
    that was killed, is deleted by `clear_unfinished` later. Raises StorageError if the results
    cannot be moved.
    """
    with disk.storing(experiment):
        old = Path(tempfile.mkdtemp(disk.UNFINISHED, ".deleted.", experiment))
        for name in _CONTENTS:
            path = experiment / name
            if path.is_symlink() or path.exists():
                path.rename(old / name)
    thread = threading.Thread(target=shutil.rmtree, args=(old,), kwargs={"ignore_errors": True})
    thread.start()
    try:
        yield
    finally:
        thread.join()


def clear_unfinished(experiment: Path) -> None:
    """Deletes partial files and folders of writers that were killed."""
    for folder in (".", "runs/*", "report/**"):
        for path in experiment.glob(f"{folder}/.*{disk.UNFINISHED}"):
            with contextlib.suppress(UserError):  # behind a link, files belong to someone else
                disk.refuse_links(experiment, (path.parent,))
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def runs_and_bytes(experiment: Path) -> tuple[int, int]:
    """Returns how many runs the folder has, and the size of all results in bytes."""
    paths = [experiment / name for name in _CONTENTS]
    files = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
    runs = len(run_ids(experiment))
    with contextlib.suppress(FileNotFoundError):
        return runs, sum(path.lstat().st_size for path in files if path.is_file())
    return runs, 0
