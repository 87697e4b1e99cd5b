"""`contents.json` of an experiment: what its folder held when the last `landscape run` ended.

It has the digests of the experiment's files and of the status of each run, which in turn has the
digests of the run's files. A number that was changed afterwards is thereby noticed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from landscape.storage import disk, experiment_folder, store
from landscape.storage.recordings import is_recording
from landscape.storage.records import ContentsRecord, FileDigest

CONTENTS = experiment_folder.CONTENTS
_FILES = experiment_folder.FILES


@dataclass(frozen=True)
class Contents:
    """The listed digests of an experiment, by path in its folder; None without a list.

    `problem` says why the list is missing; recorded loops have neither a list nor a problem.
    """

    directory: Path
    files: Mapping[str, FileDigest] | None
    problem: str = ""

    def differs(self, name: str) -> bool:
        """Returns whether one of the experiment's files is not as listed."""
        if self.files is None:
            return False
        return store.file_digest(self.directory / name) != self.files.get(name)

    def confirms(self, name: str) -> bool:
        """Returns whether one of the experiment's files is listed, and is as listed."""
        return self.files is not None and name in self.files and not self.differs(name)

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
            text = f"{self.problem}: whether a number was changed cannot be verified"
            return (text,) if self.problem else ()
        return tuple(
            f"`{name}` {self._difference(name)} after `landscape run` wrote it; run the experiment "
            "again"
            for name in _FILES
            if self.differs(name)
        )

    def _difference(self, name: str) -> str:
        return "was changed" if (self.directory / name).is_file() else "was removed"


def read(directory: Path) -> Contents:
    """Returns the list of an experiment's contents."""
    path = directory / CONTENTS
    try:
        record = store.read_record(path, ContentsRecord)
    except FileNotFoundError:
        problem = f"`{CONTENTS}` is missing, as during a sweep or from an earlier version"
        return Contents(directory, None, "" if is_recording(directory) else problem)
    except (OSError, ValueError) as error:
        return Contents(directory, None, f"`{CONTENTS}` cannot be read ({error})")
    return Contents(directory, record.files)


def write(directory: Path, run_ids: Iterable[str], earlier: Contents) -> None:
    """Lists the contents of an experiment's folder. Call it last.

    `run_ids` are the runs that were planned. What was listed of other runs earlier stays, so that
    a change of them is still noticed. Raises StorageError if the list cannot be written.
    """
    planned = {*run_ids}
    others = [_status(name) for name in experiment_folder.run_ids(directory) if name not in planned]
    current = [*_FILES, *map(_status, planned), *(others if earlier.files is None else ())]
    digests = {name: store.file_digest(directory / name) for name in current}
    if earlier.files is not None:
        digests |= {name: earlier.files.get(name) for name in others}
    listed = {name: digest for name, digest in digests.items() if digest is not None}
    store.write_record(directory / CONTENTS, ContentsRecord(listed))


def relisted(listed: Contents, run_ids: Iterable[str]) -> Contents:
    """Returns the list with the status of these runs as it is now."""
    if listed.files is None:
        return listed
    files = dict(listed.files)
    for name in map(_status, run_ids):
        digest = store.file_digest(listed.directory / name)
        if digest is not None:
            files[name] = digest
    return replace(listed, files=files)


def remove(directory: Path) -> None:
    """Deletes the list before something that it lists is changed."""
    with disk.storing(directory / CONTENTS):
        (directory / CONTENTS).unlink(missing_ok=True)


def _status(run_id: str) -> str:
    return f"runs/{run_id}/{store.STATUS}"
