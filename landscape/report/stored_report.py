"""Recognizes a report that is up to date, so that it is not built again."""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import landscape
from landscape.errors import UserError
from landscape.storage import disk, experiment_folder, store
from landscape.storage.records import FileDigest, ReportRecord

_RECORD = "report.json"
# Those that write its tables, figures and page, or compute what these show.
_LIBRARIES = (
    "contourpy",
    "fonttools",
    "jinja2",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "plotly",
    "pyarrow",
    "scipy",
)


def folder(directory: Path) -> Path:
    """Returns the folder of the report.

    Raises UserError if it is a symbolic link or has one, or if a file is in its place.
    """
    path = directory / "report"
    folders = _folders(path)
    disk.refuse_links(directory, folders)
    for needed in folders:
        if needed.exists() and not needed.is_dir():
            raise UserError(
                f"`{needed}` is a file; the report needs a folder of this name",
                hint="move or delete the file",
            )
    entries = (Path(entry.path) for parent in folders for entry in _entries(parent))
    disk.refuse_links(directory, entries)
    return path


def _folders(path: Path) -> tuple[Path, Path, Path]:
    """Returns the folders that a report writes to."""
    return path, path / "tables", path / "figures"


def up_to_date(directory: Path) -> ReportRecord | None:
    """Returns the record of the report of an experiment; None if it must be built.

    It must be built if something it depends on has changed, or if one of its files is missing or
    damaged. Raises UserError if its folder is a symbolic link.
    """
    path = folder(directory)
    try:
        record = store.read_record(path / _RECORD, ReportRecord)
        fresh = (
            record.source == source(directory)
            and record.digest == _digest(record)
            and record.files == _digests(path)
        )
    except (OSError, ValueError):
        return None
    return record if fresh else None


def write(path: Path, record: ReportRecord) -> None:
    """Writes the record of a report in the folder `path`, with digests of its files, the last."""
    digests = _digests(path)
    store.write_record(path / _RECORD, replace(record, files=digests, digest=_digest(record)))


@contextlib.contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Yields an empty folder, which replaces the report of an experiment afterwards.

    The old report stays as it is until then, and if the block fails. Files in it that no report
    has written are moved to the new one. Raises StorageError if the folder cannot be written.
    """
    path = folder(directory)
    with disk.storing(path):
        new = Path(tempfile.mkdtemp(disk.UNFINISHED, ".report.", directory))
    old = new.with_name(f"{new.name}.old{disk.UNFINISHED}")
    try:
        yield new
        with disk.storing(path):
            new.chmod(0o755)
            _move_foreign_files(path, new)
            _swap(path, new, old)
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _move_foreign_files(old: Path, new: Path) -> None:
    """Moves the files that are not listed in the record of the old report."""
    listed = {_RECORD, "tables", "figures"}
    with contextlib.suppress(OSError, ValueError):
        listed |= set(store.read_record(old / _RECORD, ReportRecord).files)
    for parent in _folders(old):
        for entry in _entries(parent):
            name = Path(entry.path).relative_to(old)
            if str(name) not in listed and not (new / name).exists():
                (new / name).parent.mkdir(exist_ok=True)
                Path(entry.path).rename(new / name)


def _swap(path: Path, new: Path, old: Path) -> None:
    """Renames `path` to `old` and `new` to `path`, also if another process does so as well."""
    for last in (False, False, True):
        with contextlib.suppress(FileNotFoundError):
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if last:
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            return


def source(directory: Path) -> str:
    """Returns a digest of everything that the report depends on.

    These are the experiment's own files, the sizes and times of the files of its runs, the place
    of the folder, and the versions and the source code of the programs. A folder that was moved or
    copied gets a new report.
    """
    parts = [str(directory.resolve()), sys.version]
    parts += [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    parts += _program_files(Path(landscape.__file__).parent)
    for name in (*experiment_folder.FILES, experiment_folder.CONTENTS):
        parts.append(f"{name} {store.file_digest(directory / name)}")
    with contextlib.suppress(OSError, ValueError):  # a damaged plan is reported by who reads it
        for run_id in experiment_folder.read_plan(directory):
            parts += [run_id, *_listing(store.run_folder(directory, run_id))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _program_files(package: Path) -> list[str]:
    """Returns path, size and time of the files of the program.

    Compiled modules are left out: Python writes one whenever a command is the first to import it.
    """
    paths = [path for path in package.rglob("[!.]*") if path.parent.name != "__pycache__"]
    states = {path: path.stat() for path in sorted(paths) if path.is_file()}
    return [f"{path} {state.st_size} {state.st_mtime_ns}" for path, state in states.items()]


def _listing(path: Path) -> list[str]:
    """Returns name, kind, size and time of what a report can depend on in a folder."""
    lines = []
    for entry in _entries(path):
        if entry.name not in (store.LOG, store.PROGRESS):
            state = entry.stat(follow_symlinks=False)
            lines.append(f"{entry.name} {state.st_mode} {state.st_size} {state.st_mtime_ns}")
    return lines


def _digests(path: Path) -> dict[str, FileDigest]:
    """Returns the digest of each file of a report, by its path in the report's folder."""
    digests = {}
    for parent in _folders(path):
        for entry in _entries(parent):
            digest = store.file_digest(Path(entry.path)) if entry.name != _RECORD else None
            if digest is not None:
                digests[str(Path(entry.path).relative_to(path))] = digest
    return digests


def _digest(record: ReportRecord) -> str:
    """Returns the digest of what a report shows in a terminal."""
    shown = replace(record, files={}, digest="")
    return hashlib.sha256(store.record_bytes(shown)).hexdigest()


def _entries(path: Path) -> Iterator[os.DirEntry[str]]:
    """Yields the entries of a folder that are not hidden, by name; nothing without a folder."""
    if path.is_dir():
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        yield from sorted(visible, key=lambda entry: entry.name)
