"""`contents.json` of an experiment: what its folder held when the last `landscape run` ended.

It has the digests of the experiment's files and of the status of each run, which in turn has the
digests of the run's files. A number that was changed afterwards is thereby noticed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from landscape.storage import disk, experiment_folder, safe_reading, store
from landscape.storage.records import ContentsRecord, FileDigest

CONTENTS = experiment_folder.CONTENTS
_FILES = ("experiment.yaml", "plan.json", "across.json")


@dataclass(frozen=True)
class Contents:
    """The listed digests of an experiment, by path in its folder; None if there is no list.

    `problem` says why there is none.
    """

    directory: Path
    files: Mapping[str, FileDigest] | None
    problem: str = ""

    def differs(self, name: str) -> bool:
        """Returns whether one of the experiment's files is not as listed."""
        if self.files is None:
            return False
        return _digest(self.directory / name) != self.files.get(name)

    def status_differs(self, run_id: str, content: bytes | None) -> bool:
        """Returns whether this content of a run's `status.json`, None if missing, is not listed."""
        if self.files is None:
            return False
        digest = self.files.get(_status(run_id))
        if content is None or digest is None:
            return content is not None or digest is not None
        return len(content) != digest.bytes or sha256(content).hexdigest() != digest.sha256

    def warnings(self) -> tuple[str, ...]:
        """Returns what a reader must know: files that were changed, or cannot be verified."""
        if self.files is None:
            return (f"{self.problem}: that no number was changed cannot be verified",)
        return tuple(
            f"`{name}` was changed after `landscape run` wrote it; run the experiment again"
            for name in _FILES
            if self.differs(name)
        )


def read(directory: Path) -> Contents:
    """Returns the list of an experiment's contents."""
    path = directory / CONTENTS
    try:
        record = store.read_record(path, ContentsRecord)
    except FileNotFoundError:
        problem = f"`{CONTENTS}` is missing, as during a sweep or from an earlier version"
        return Contents(directory, None, problem)
    except (OSError, ValueError) as error:
        return Contents(directory, None, f"`{CONTENTS}` cannot be read ({error})")
    return Contents(directory, record.files)


def write(directory: Path, run_ids: Iterable[str], earlier: Contents) -> None:
    """Lists the contents of an experiment's folder. Call it last.

    `run_ids` are the runs that were planned. What was listed of other runs earlier stays, so that
    a change of them is still noticed. Raises StorageError if the list cannot be written.
    """
    planned, others = {*run_ids}, {}
    for run_id in {*experiment_folder.run_ids(directory)} - planned:
        name = _status(run_id)
        digest = _digest(directory / name) if earlier.files is None else earlier.files.get(name)
        others[name] = digest
    current = {name: _digest(directory / name) for name in (*_FILES, *map(_status, planned))}
    digests = {name: file for name, file in (current | others).items() if file is not None}
    store.write_record(directory / CONTENTS, ContentsRecord(digests))


def remove(directory: Path) -> None:
    """Deletes the list before something that it lists is changed."""
    with disk.storing(directory / CONTENTS):
        (directory / CONTENTS).unlink(missing_ok=True)


def _status(run_id: str) -> str:
    return f"runs/{run_id}/{store.STATUS}"


def _digest(path: Path) -> FileDigest | None:
    """Returns the digest of a file; None if it is missing or cannot be read."""
    try:
        return FileDigest(*safe_reading.size_and_sha256(path))
    except (OSError, safe_reading.UnreadableFile):
        return None
