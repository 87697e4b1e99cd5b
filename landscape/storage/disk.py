"""Atomic file writes: readers see the old or the new content, never a partial file.

A file is written under a temporary name in the same folder, flushed to disk and renamed.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from landscape.errors import StorageError, UserError

# The suffix of a file that is being written.
UNFINISHED = ".part"
_HINTS = {
    errno.ENOSPC: "free some space and rerun the command",
    errno.EDQUOT: "free some space and rerun the command",
    errno.EROFS: "choose another place to write to",
    errno.EACCES: "choose another place to write to",
}


def write_bytes(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Replaces the content of `path`, completely or not at all; creates the folder if needed.

    Flushed to disk if `lasting`. Raises StorageError if the file cannot be written.
    """
    refuse_copies()
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Converts OSError to StorageError with a hint."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "rerun the command")
        raise StorageError(f"cannot write {path}: {error.strerror}", hint=hint) from error


_writer: int | None = None  # the only process that may write


def allow_writes_by(process: int | None) -> None:
    """Allows only this process to write from now on; None allows all processes.

    A user's loss may fork. The copy would continue its parent's run, and must not write into it.
    """
    global _writer
    _writer = process


def refuse_copies() -> None:
    """Ends this process immediately if it is a forked copy of the process that may write."""
    if _writer is not None and os.getpid() != _writer:
        os._exit(1)


def refuse_links(paths: Iterable[Path]) -> None:
    """Raises UserError if a path is a symbolic link, which could lead out of the experiment."""
    for path in paths:
        if path.is_symlink():
            raise UserError(
                f"{path} is a symbolic link to {path.resolve()}",
                hint="remove the link: results are written inside the experiment's folder",
            )


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, see `write_bytes`."""
    write_bytes(path, text.encode())
